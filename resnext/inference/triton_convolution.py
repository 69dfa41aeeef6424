"""Convolutions of a GPU, each with what follows it in one pass over memory."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.inference.triton_epilogue import finish


class FinishedConvolution:
    """A convolution that cuDNN computes without its bias, which a kernel of Triton then adds.

    PyTorch adds a bias in a pass of its own behind cuDNN, and so it does with a shortcut and the
    ReLU: together they take longer than a grouped convolution itself.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution."""
        self.weight = convolution.weight.detach()
        bias = convolution.bias
        self.bias = self.weight.new_zeros(len(self.weight)) if bias is None else bias.detach()
        self.stride, self.dilation = convolution.stride, convolution.dilation
        self.padding = cast("tuple[int, int]", convolution.padding)
        self.groups = convolution.groups

    def rectified(self, x: Tensor) -> Tensor:
        """Return relu(convolution of x)."""
        return finish(self._convolved(x), self.bias)

    def added(self, x: Tensor, other: Tensor, through: "FinishedConvolution | None") -> Tensor:
        """Return relu(convolution of x + other).

        Args:
            x: (N, C, H, W).
            other: what is added, itself or through a convolution.
            through: that convolution.
        """
        y = self._convolved(x)
        if through is None:
            return finish(y, self.bias, other)
        return finish(y, self.bias, through._convolved(other), through.bias)

    def _convolved(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.weight, None, self.stride, self.padding, self.dilation, self.groups
        ).contiguous(memory_format=torch.channels_last)
