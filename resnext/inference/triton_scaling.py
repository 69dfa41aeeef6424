"""The exact pixels on a GPU as one kernel, in Triton, which PyTorch's builds with CUDA bring along.

No product and sum are joined into one rounding, and the division is the correctly rounded one, so
that the bits are those of `bicubic`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
import triton
import triton.language as tl
from torch import Tensor

from resnext.errors import DeviceError
from resnext.pixels.raw_crops import RawCrops

OPTIONS = {"enable_fp_fusion": False}  # of the compiler: no product joins a sum
BLOCK = 128  # pixels of a crop that are worked on together


@contextmanager
def launching(device: torch.device) -> Iterator[None]:
    """Make a GPU the one that Triton launches on; its interpreter works on the CPU.

    Raises:
        DeviceError: Triton cannot compile or run a kernel there.
    """
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    except triton.TritonError as error:  # derived from none of Python's
        raise DeviceError(f"{device}: Triton: {error}") from error


def scale_with_triton(sources: RawCrops, unit: float, shift: Tensor, divisor: Tensor) -> Tensor:
    """Scale and normalise, with the arguments of `scale_plainly`.

    Returns:
        (N, 3, n, n) float32 on the device, with the channels last in memory.

    Raises:
        DeviceError: Triton cannot compile or run it there.
    """
    firsts = sources.firsts.contiguous()
    _, count, side = firsts.shape
    crops = torch.empty(
        (count, 3, side, side), device=sources.device, memory_format=torch.channels_last
    )
    with launching(sources.device):
        _scale[count, triton.cdiv(side * side, BLOCK)](
            sources.flat,
            sources.starts,
            sources.sizes,
            firsts,
            sources.fractions.contiguous(),
            shift,
            divisor,
            crops,
            unit,
            count,
            side,
            block=BLOCK,
            **OPTIONS,
        )
    return crops


@triton.jit(do_not_specialize=["count", "side"])
def _scale(
    flat,
    starts,
    sizes,
    firsts,
    fractions,
    shift,
    divisor,
    crops,
    unit,
    count,
    side,
    block: tl.constexpr,
):
    """Write some pixels of one crop, all channels; see `RawCrops` for what is read.

    One binary serves every number of pictures: what was compared with the CPU is what is used.
    """
    picture = tl.program_id(0)
    place = tl.program_id(1) * block + tl.arange(0, block)
    wanted = place < side * side
    height = tl.load(sizes + 2 * picture).to(tl.int32)
    width = tl.load(sizes + 2 * picture + 1).to(tl.int32)
    rows = picture * side + place // side
    columns = (count + picture) * side + place % side
    row = tl.load(firsts + rows, mask=wanted, other=0).to(tl.int32)
    down = tl.load(fractions + rows, mask=wanted, other=0.0)
    column = tl.load(firsts + columns, mask=wanted, other=0).to(tl.int32)
    across = tl.load(fractions + columns, mask=wanted, other=0.0)
    start = flat + tl.load(starts + picture)
    target = crops + picture.to(tl.int64) * side * side * 3 + place * 3
    for channel in tl.static_range(3):
        begin = start + channel
        q0 = _line(begin, row, 0, height, width, column, across, unit, wanted)
        q1 = _line(begin, row, 1, height, width, column, across, unit, wanted)
        q2 = _line(begin, row, 2, height, width, column, across, unit, wanted)
        q3 = _line(begin, row, 3, height, width, column, across, unit, wanted)
        value = _between(q0, q1, q2, q3, row, height, down) + tl.load(shift + channel)
        tl.store(target + channel, tl.div_rn(value, tl.load(divisor + channel)), mask=wanted)


@triton.jit
def _line(begin, row, tap, height, width, column, across, unit, wanted):
    """Return the row that a tap reads, scaled along its columns."""
    line = begin + tl.minimum(tl.maximum(row + (tap - 1), 0), height - 1) * width * 3
    p0 = _gray(line, column - 1, width, unit, wanted)
    p1 = _gray(line, column, width, unit, wanted)
    p2 = _gray(line, column + 1, width, unit, wanted)
    p3 = _gray(line, column + 2, width, unit, wanted)
    return _between(p0, p1, p2, p3, column, width, across)


@triton.jit
def _gray(line, column, width, unit, wanted):
    """Return gray levels as numbers."""
    inside = tl.minimum(tl.maximum(column, 0), width - 1)
    return tl.load(line + inside * 3, mask=wanted, other=0).to(tl.float32) * unit


@triton.jit
def _between(p0, p1, p2, p3, first, count, fraction):
    """Interpolate, with taps beyond the border on the straight line inside it."""
    before = tl.where(first < 1, 2 * p1 - p2, p0)
    behind = tl.where(first + 2 >= count, 2 * p2 - p1, p3)
    a1 = p2 - before
    a2 = 2 * before - 5 * p1 + 4 * p2 - behind
    a3 = 3 * (p1 - p2) + behind - before
    slope = a1 + fraction * (a2 + fraction * a3)
    # The outermost product and sum are float64, as the original's constant is.
    half = 0.5 * fraction.to(tl.float64)
    return (p1.to(tl.float64) + half * slope.to(tl.float64)).to(tl.float32)
