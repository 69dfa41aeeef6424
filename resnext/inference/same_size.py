"""Batches of one size for a network that would begin anew with each other one."""

from collections.abc import Callable

import torch
from torch import Tensor


class SameSize:
    """A network whose batches are filled up to the size of the largest so far.

    The last batch of a measurement is smaller. For it torch.compile would compile and cuDNN plan
    once more, which takes longer than some pictures too many.
    """

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        """Take what computes logits (N, classes) of pictures (N, 3, H, W)."""
        self._network = network
        self._size = 0

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the logits of pictures with the channels last in memory."""
        count = len(pictures)
        self._size = max(self._size, count)
        if count < self._size:
            pictures = torch.cat([pictures, pictures[:1].expand(self._size - count, -1, -1, -1)])
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return self._network(pictures)[:count]
