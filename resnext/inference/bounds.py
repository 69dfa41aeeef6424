"""Bounds on the values in a network, which prove that none is infinite or NaN.

Weights are finite, so the first value that is not comes from a sum that overflows. A ReLU that is
fused with its convolution may turn NaN into zero, so that a broken network looks like one that only
answers badly: the check has to come before such a ReLU.
"""

from collections.abc import Sequence
from math import inf
from typing import Final, Self

import torch
from torch import Tensor, nn

# More than rounding adds to a sum: a step of bfloat16 is 0.4 %, a million of float32's are 6 %.
ROUNDING: Final = 1.1
# What an algorithm may compute on its way to a sum is at most so much larger than its terms.
SPARE: Final = 2.0**10


class Growth:
    """A bound on the output of a convolution.

    Attributes:
        factor: the largest sum of absolute weights of an output.
        offset: the largest absolute bias.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take the norms of a convolution's weights; infinite where they overflow."""
        weight, bias = convolution.weight.detach(), convolution.bias
        sums = weight.flatten(1).abs().sum(1, dtype=torch.float32)
        self.factor = float(sums.max())
        self.offset = 0.0 if bias is None else float(bias.detach().abs().max())

    def of(self, largest: float) -> float:
        """Return a bound on the output, from one on the input."""
        return (largest * self.factor + self.offset) * ROUNDING


class KnownBound:
    """A bound on the absolute values that go through a network, from one layer to the next.

    It grows by the weights, and falls where values are looked at. That takes a pass over memory, so
    it is done only where the bound alone does not prove that nothing overflows: one block in four
    or so of a common network.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        """Know nothing yet of values that are computed in a type."""
        self.limit = torch.finfo(dtype).max / SPARE
        self.value = inf

    def forget(self) -> Self:
        """Know nothing of the next values, and return itself."""
        self.value = inf
        return self

    def carry(self, x: Tensor, branch: Sequence[Growth], shortcut: Sequence[Growth] | None) -> bool:
        """Tell whether a block cannot overflow; from then on the bound is that of its output.

        Args:
            x: the input of the block, which the bound is of.
            branch: its convolutions, one after the other.
            shortcut: what is added comes through these; None if nothing is added.
        """
        after = _bound(self.value, branch, shortcut)
        if not after <= self.limit:
            after = _bound(largest(x), branch, shortcut)
        proven = after <= self.limit  # false for NaN
        self.value = after if proven else inf
        return proven


def _bound(value: float, branch: Sequence[Growth], shortcut: Sequence[Growth] | None) -> float:
    inner = beside = value
    for growth in branch:
        inner = growth.of(inner)
    if shortcut is None:
        return inner
    for growth in shortcut:
        beside = growth.of(beside)
    return (inner + beside) * ROUNDING


def largest(x: Tensor) -> float:
    """Return the largest absolute value of (N, C, H, W), or NaN if a value is no number."""
    # Seen in the order of memory, all values are one row, which is read at full speed.
    low, high = torch.aminmax(x.permute(0, 2, 3, 1).contiguous().view(-1))
    return max(-float(low), float(high)) if bool(low <= high) else float("nan")
