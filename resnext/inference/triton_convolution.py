"""Convolutions on a GPU, with bias, shortcut and ReLU added by one Triton kernel."""

from typing import ClassVar, cast

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.inference.triton_scaling import OPTIONS, launching

# Size of a block: pixels (over all pictures), and channels, which are adjacent in memory.
PIXELS, CHANNELS = 32, 64


class FinishedConvolution:
    """A convolution that cuDNN computes without its bias, which a kernel of Triton then adds.

    PyTorch adds a bias in a pass of its own behind cuDNN, and so it does with a shortcut and the
    ReLU: together they take longer than a grouped convolution itself.
    """

    keeps_nan: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution."""
        self.refused: str | None = None
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

    def convolved(self, x: Tensor) -> Tensor:
        """Return the convolution of x."""
        return self._convolved(x) + self.bias[:, None, None]

    def _convolved(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.weight, None, self.stride, self.padding, self.dilation, self.groups
        ).contiguous(memory_format=torch.channels_last)


def finish(
    y: Tensor, bias: Tensor, other: Tensor | None = None, other_bias: Tensor | None = None
) -> Tensor:
    """Return relu((y + bias) + (other + its bias)), written over y.

    Computed in float32, and rounded once to the type of y: in float32 the bits are those of
    PyTorch's operations one by one.

    Args:
        y: (N, C, H, W) of any type, with the channels last in memory.
        bias: (C,) of the same type.
        other: as y; or None.
        other_bias: as the bias, of the other; or None.

    Raises:
        DeviceError: Triton cannot compile or run it there.
    """
    count, channels, height, width = y.shape
    rows = count * height * width
    if other is not None:
        other = other.contiguous(memory_format=torch.channels_last)
    blocks = triton.cdiv(channels, CHANNELS) * triton.cdiv(rows, PIXELS)
    with launching(y.device):
        _finish[blocks,](
            y,
            bias,
            y if other is None else other,
            bias if other_bias is None else other_bias,
            rows,
            channels,
            adds=other is not None,
            shifts=other_bias is not None,
            pixels=PIXELS,
            lanes=CHANNELS,
            **OPTIONS,
        )
    return y


@triton.jit(do_not_specialize=["rows"])
def _finish(
    y,
    bias,
    other,
    other_bias,
    rows,
    channels,
    adds: tl.constexpr,
    shifts: tl.constexpr,
    pixels: tl.constexpr,
    lanes: tl.constexpr,
):
    """Write a block; neighbours in number are neighbours in memory."""
    across = tl.cdiv(channels, lanes)
    row = tl.program_id(0) // across * pixels + tl.arange(0, pixels)
    channel = tl.program_id(0) % across * lanes + tl.arange(0, lanes)
    there = channel < channels
    wanted = (row < rows)[:, None] & there[None, :]
    place = row.to(tl.int64)[:, None] * channels + channel[None, :]
    value = tl.load(y + place, mask=wanted).to(tl.float32)
    value += tl.load(bias + channel, mask=there).to(tl.float32)[None, :]
    if adds:
        more = tl.load(other + place, mask=wanted).to(tl.float32)
        if shifts:
            more += tl.load(other_bias + channel, mask=there).to(tl.float32)[None, :]
        value += more
    value = tl.where(value < 0, 0.0, value)  # what is no number stays none
    tl.store(y + place, value.to(y.dtype.element_ty), mask=wanted)
