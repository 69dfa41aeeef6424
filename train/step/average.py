"""The exponential moving average of a network's weights, which is a network too."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class ExponentialAverage:
    """The exponential moving average of a network's tensors over the steps of a run.

    Batch norm's running statistics are averaged like the weights; counters are copied.
    """

    def __init__(self, tensors: Mapping[str, Tensor], *, decay: float) -> None:
        """Start with a network's current weights.

        Args:
            tensors: the network's state by name; copied here, and read again at each update.
            decay: upper limit of the decay; see `warmed_decay`.
        """
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        pairs = [(self.tensors[name], tensor.detach()) for name, tensor in tensors.items()]
        # Lists, so that a GPU launches few kernels instead of one for each of some hundred tensors.
        self._averaged = _columns(pair for pair in pairs if pair[0].is_floating_point())
        self._counted = _columns(pair for pair in pairs if not pair[0].is_floating_point())

    @torch.no_grad()
    def update(self, *, step: int) -> None:
        """Add the weights after a step of the run, counted from 1."""
        kept = warmed_decay(self.decay, step)
        torch._foreach_lerp_(*self._averaged, 1 - kept)
        if self._counted[0]:
            torch._foreach_copy_(*self._counted)


def _columns(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the firsts and the seconds of pairs."""
    rows = list(pairs)
    return [own for own, _ in rows], [theirs for _, theirs in rows]


def warmed_decay(decay: float, step: int) -> float:
    """Return the decay at a step: small at first, so that the initial weights are forgotten.

    Source: the warm-up of `tf.train.ExponentialMovingAverage`, (1 + step) / (10 + step).
    """
    return min(decay, (1 + step) / (10 + step))
