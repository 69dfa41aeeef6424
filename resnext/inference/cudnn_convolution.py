"""Convolutions on a GPU with bias, shortcut and ReLU, each as one call of cuDNN.

The calls are those of PyTorch that torch.jit puts in place of frozen networks; see `fusion` for how
they are tried. With `torch.backends.cudnn.benchmark` the first call of a size tries the algorithms
that cuDNN has for it, and PyTorch keeps the fastest for every later call of that size.

What cuDNN does not promise is looked at once for each size, with the algorithm that was kept: that
its ReLU leaves NaN and infinities what they are, and that a summand whose factor is 0 is not read
(PyTorch hands over uninitialised memory there). A size for which one of these does not hold is
computed with PyTorch's own ReLU.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.fast_path import FAILURES, first_line

LOSES = "a fused ReLU makes numbers of what is none"
NO_NUMBERS = "weights are no finite numbers in this precision"
READS = "a fused ReLU depends on memory that it should not read"


class CudnnConvolution:
    """A convolution that cuDNN computes together with what follows it."""

    keeps_nan: ClassVar[bool] = True  # or the call is not used
    repeats: ClassVar[bool] = False

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution."""
        self.weight = convolution.weight.detach()
        bias = convolution.bias
        self.bias = self.weight.new_zeros(len(self.weight)) if bias is None else bias.detach()
        # Any: PyTorch types a padding as text too, which its calls of cuDNN do not take.
        self.shape: tuple[Any, ...] = (
            convolution.stride,
            convolution.padding,
            convolution.dilation,
            convolution.groups,
        )
        self.refused: str | None = None
        self.faults: dict[tuple[torch.Size, bool], str | None] = {}

    def rectified(self, x: Tensor) -> Tensor:
        """Return relu(convolution of x)."""
        return self._rectified(x) if self._is_safe(x) else F.relu(self.convolved(x))

    def added(self, x: Tensor, other: Tensor, through: "CudnnConvolution | None") -> Tensor:
        """Return relu(convolution of x + other).

        Args:
            x: (N, C, H, W).
            other: what is added, itself or through a convolution.
            through: that convolution.
        """
        if through is not None:
            other = through.convolved(other)
        if self._is_safe(x, other):
            return self._added(x, other)
        return F.relu(self.convolved(x) + other)

    def convolved(self, x: Tensor) -> Tensor:
        """Return the convolution of x."""
        return F.conv2d(x, self.weight, self.bias, *self.shape)

    def _rectified(self, x: Tensor) -> Tensor:
        return torch.cudnn_convolution_relu(x, self.weight, self.bias, *self.shape)

    def _added(self, x: Tensor, other: Tensor) -> Tensor:
        return torch.cudnn_convolution_add_relu(x, self.weight, other, 1.0, self.bias, *self.shape)

    def _is_safe(self, x: Tensor, other: Tensor | None = None) -> bool:
        """Tell whether a call of this size may be used; the first of each size is waited for."""
        size = x.shape, other is None
        if size not in self.faults:
            try:
                found = self._fault(x) if other is None else self._fault_of_sum(x, other)
            except FAILURES as error:
                found = first_line(error)
            self.faults[size] = found
            self.refused = self.refused or found
        return self.faults[size] is None

    def _fault(self, x: Tensor) -> str | None:
        if not bool(self.weight.isfinite().all() & self.bias.isfinite().all()):
            return NO_NUMBERS
        zeros = torch.zeros_like(x)
        memory = self._rectified(zeros).fill_(torch.nan)
        del memory  # the next answer is most likely written there
        if not bool(self._rectified(zeros).isfinite().all()):
            return READS
        zeros[0, 0, 0, 0] = torch.inf  # infinite where a weight of this channel is positive
        if bool(self._rectified(zeros).isfinite().all()):
            return LOSES
        return None if _has_no_number(self._rectified(torch.full_like(x, torch.nan))) else LOSES

    def _fault_of_sum(self, x: Tensor, other: Tensor) -> str | None:
        zeros, nothing = torch.zeros_like(x), torch.full_like(other, torch.nan)
        kept = (
            _has_no_number(self._added(zeros, nothing))
            and _has_no_number(self._added(zeros, nothing.fill_(torch.inf)))
            and _has_no_number(self._added(zeros.fill_(torch.nan), torch.zeros_like(other)))
        )
        return None if kept else LOSES


def _has_no_number(y: Tensor) -> bool:
    """Tell whether all values are NaN or infinite; a GPU is waited for."""
    return not bool(y.isfinite().any())
