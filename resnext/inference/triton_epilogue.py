"""What follows a convolution, as one kernel in Triton: bias, shortcut and ReLU."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from resnext.inference.triton_launch import OPTIONS, launching

# Of a block: pixels of all pictures, and channels, which lie side by side.
PIXELS, CHANNELS = 32, 64


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
