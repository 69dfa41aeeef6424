"""The exponential moving average of a network's weights, which is a network too."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Average:
    """The average of a network's tensors over the steps of a run.

    Batch norm's running statistics are averaged like the weights; counters are copied.
    """

    def __init__(self, tensors: Mapping[str, Tensor], *, decay: float) -> None:
        """Start at a network's weights.

        Args:
            tensors: its state by name; copied.
            decay: what the average keeps of itself at each step, at the most.
        """
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, tensors: Mapping[str, Tensor], *, step: int) -> None:
        """Take in the weights after a step.

        Args:
            tensors: the network's state.
            step: of the run, counted from 1.
        """
        kept = warmed_decay(self.decay, step)
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, 1 - kept)
            else:
                self.tensors[name].copy_(tensor)


def warmed_decay(decay: float, step: int) -> float:
    """Return what the average keeps at a step: little at first, so that it forgets the start.

    Source: the warm-up of `tf.train.ExponentialMovingAverage`, (1 + step) / (10 + step).
    """
    return min(decay, (1 + step) / (10 + step))
