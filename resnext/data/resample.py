"""Torch7's bicubic `image.scale`, equal in every bit, for just the window that a crop needs.

The function differs from those of PIL, OpenCV and PyTorch in each of its decisions: the corners of
source and target are aligned, nothing is smoothed before a reduction, pixels beyond the border are
extrapolated along a straight line, and nothing is clamped or rounded to bytes. Source: `image`
5aa1881, generic/image.c.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows that are worked on at once. What they need then stays in the processor's cache and below the
# size at which malloc asks the system each time: three to four times faster than in one piece.
BLOCK = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of a picture, in whole pixels.

    Attributes:
        top: its first row, >= 0.
        left: its first column, >= 0.
        height: rows, >= 1.
        width: columns, >= 1.
    """

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Taps:
    """Where the n pixels of a target line read.

    Attributes:
        start: the first source pixel that is read.
        stop: one behind the last.
        indices: (4, n) int64, the four taps of each; 0 is the pixel before `start`, which may
            have to be extrapolated, and the greatest, stop - start + 1, the pixel at `stop`.
        fractions: (n,) float32, how far beyond its second tap each lies, 0 <= fraction < 1.
    """

    start: int
    stop: int
    indices: "NDArray[np.int64]"
    fractions: "NDArray[np.float32]"


def scaled_size(height: int, width: int, scale: int) -> tuple[int, int]:
    """Return (height, width) of a picture once its shorter side is `scale` pixels.

    The longer side is rounded down, from float64 in exactly this order of operations. Source:
    `Scale` in datasets/transforms.lua of the original.
    """
    if min(height, width) == scale:
        return height, width
    if width < height:
        return int(height / width * scale), scale
    return scale, int(width / height * scale)


def scale_window(
    pixels: "NDArray[np.uint8]", size: tuple[int, int], window: Window, *, unit: np.float32
) -> "NDArray[np.float32]":
    """Scale a picture and return a window of the result.

    Only the pixels that the window reads are touched; the bits are those of the whole picture.

    Args:
        pixels: (H, W, C) uint8, any strides.
        size: (height, width) of the whole scaled picture.
        window: what to return of it; lies inside.
        unit: the value of one gray level; the original multiplies bytes by float32(1/255).

    Returns:
        (window.height, window.width, C) float32, not clamped.
    """
    rows = _taps(pixels.shape[0], size[0], range(window.top, window.top + window.height))
    columns = _taps(pixels.shape[1], size[1], range(window.left, window.left + window.width))
    source = pixels[rows.start : rows.stop, columns.start : columns.stop]
    tall = np.empty((len(source) + 2, window.width * source.shape[2]), np.float32)
    for block in _blocks(len(source)):
        tall[1:-1][block] = _scale_columns(source[block], columns, unit)
    _extrapolate(tall)
    scaled = np.empty((window.height, tall.shape[1]), np.float32)
    for block in _blocks(window.height):
        taps = [tall[indices] for indices in rows.indices[:, block]]
        scaled[block] = _cubic(taps, rows.fractions[block, None])
    return scaled.reshape(window.height, window.width, -1)


def _blocks(rows: int) -> list[slice]:
    return [slice(top, top + BLOCK) for top in range(0, rows, BLOCK)]


def _scale_columns(
    source: "NDArray[np.uint8]", columns: _Taps, unit: np.float32
) -> "NDArray[np.float32]":
    """Scale (h, w, C) uint8 along its rows: (h, n * C) float32, pixel by pixel."""
    height, width, channels = source.shape
    wide = np.empty((height, width + 2, channels), np.float32)
    np.multiply(source, unit, out=wide[:, 1:-1])
    _extrapolate(wide.swapaxes(0, 1))
    flat = wide.reshape(height, -1)  # gathering single numbers is faster than triples
    gathers = columns.indices[:, :, None] * channels + np.arange(channels)  # (4, n, C)
    taps = [np.take(flat, indices.ravel(), axis=1) for indices in gathers]
    return _cubic(taps, np.repeat(columns.fractions, channels))


def _taps(source: int, target: int, wanted: range) -> _Taps:
    """Return where the target pixels `wanted` read, of a line of `source` scaled to `target`."""
    step = np.float32(source - 1) / np.float32(max(target - 1, 1))
    places = np.asarray(wanted)
    positions = places.astype(np.float32) * step
    lefts = positions.astype(np.int64)
    fractions = positions - lefts.astype(np.float32)
    # The last pixel is a copy of the last: place and step alone might round beside it.
    last = places == target - 1
    lefts[last], fractions[last] = source - 1, 0
    lefts = np.minimum(lefts, source - 1)  # float32 cannot count the pixels of an absurd target
    start = max(int(lefts[0]) - 1, 0)
    stop = min(int(lefts[-1]) + 3, source)
    # A fourth tap two beyond the border belongs to a copy, and counts for nothing.
    indices = np.minimum(lefts - start + np.arange(4)[:, None], stop - start + 1)
    return _Taps(start=start, stop=stop, indices=indices, fractions=fractions)


def _extrapolate(lines: "NDArray[np.float32]") -> None:
    """Fill the first and the last of (n + 2, ...) lines from the n between them, in place."""
    inner = lines[1:-1]
    lines[0] = 2 * inner[0] - inner[min(1, len(inner) - 1)]
    lines[-1] = 2 * inner[-1] - inner[max(-2, -len(inner))]


def _cubic(
    taps: "list[NDArray[np.float32]]", fractions: "NDArray[np.float32]"
) -> "NDArray[np.float32]":
    """Interpolate between the second and the third of four taps (Catmull-Rom).

    The original's constant 0.5 is a double, so the outermost product and sum are float64, and all
    else is float32.

    Args:
        taps: four of (n, m) float32.
        fractions: float32, against which the taps broadcast.
    """
    p0, p1, p2, p3 = taps
    a1 = p2 - p0
    a2 = 2 * p0 - 5 * p1 + 4 * p2 - p3
    a3 = 3 * (p1 - p2) + p3 - p0
    slope = a1 + fractions * (a2 + fractions * a3)
    value = p1 + 0.5 * fractions.astype(np.float64) * slope
    return value.astype(np.float32)
