"""Batch norm's counters of batches, raised together instead of one by one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class BatchCounters:
    """The `num_batches_tracked` of a network's batch norms.

    Each forward pass of a batch norm raises its own counter, which on a GPU is a kernel for each of
    some fifty layers. Here they stand still during the passes of a step, and are raised by one
    operation behind it.
    """

    def __init__(self, network: nn.Module) -> None:
        """Take a network; its synchronised batch norms go on counting for themselves."""
        kinds = (nn.BatchNorm2d,)
        self._norms = [each for each in network.modules() if isinstance(each, kinds)]

    @contextmanager
    def passes(self, count: int) -> Iterator[None]:
        """Let the counters stand still in the block, in which the network is called `count` times.

        Only those in training mode are raised, also where activations are computed twice.
        """
        held: list[tuple[nn.BatchNorm2d, Tensor]] = [
            (norm, norm.num_batches_tracked)
            for norm in self._norms
            if norm.training and norm.num_batches_tracked is not None
        ]
        for norm, _ in held:
            norm.num_batches_tracked = None
        try:
            yield
        finally:
            for norm, counter in held:
                norm.num_batches_tracked = counter
        if held:
            torch._foreach_add_([counter for _, counter in held], count)
