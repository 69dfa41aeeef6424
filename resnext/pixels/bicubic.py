"""Torch7's bicubic scaling and the normalisation in NumPy: the reference of the compiled kernel."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows that are computed at once. Their temporary arrays then fit in the processor's cache, and are
# small enough for malloc to reuse memory: three to four times faster than all rows in one piece.
BLOCK = 32

# Taps of lines of up to so many pixels are kept, for some lines.
KNOWN_PIXELS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """The normalisation: a gray level x of channel c becomes (x * unit + shift[c]) / divisor[c].

    Attributes:
        unit: factor applied before the scaling; the original multiplies bytes by float32(1/255).
        shift: (C,) float32, added after the scaling.
        divisor: (C,) float32, not 0.
    """

    unit: np.float32
    shift: "NDArray[np.float32]"
    divisor: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """The source pixels that n pixels of a target line (row or column) are interpolated from.

    Attributes:
        start: index of the first source pixel that is read.
        stop: index behind the last source pixel that is read.
        first: (n,) int32, ascending, the first of the four taps of each target pixel, counted from
            the pixel before `start`, which may have to be extrapolated.
        fractions: (n,) float32, distance of each target pixel from its second tap, in source
            pixels, 0 <= fraction < 1.
    """

    start: int
    stop: int
    first: "NDArray[np.int32]"
    fractions: "NDArray[np.float32]"

    def indices(self) -> "NDArray[np.int64]":
        """Return the four taps of each target pixel, (4, n), counted like `first`.

        They are limited to the pixel at `stop`. A fourth tap beyond it belongs to a target pixel
        with fraction 0, whose value does not depend on that tap.
        """
        indices: NDArray[np.int64] = self.first + np.arange(4)[:, None]
        return np.minimum(indices, self.stop - self.start + 1, out=indices)


def find_taps(source: int, target: int, wanted: range) -> Taps:
    """Return the taps of some target pixels of a line.

    Args:
        source: length of the source line in pixels.
        target: length of the whole target line in pixels.
        wanted: the target pixels.
    """
    # Most pictures of a set have one of a few sizes.
    few = len(wanted) <= KNOWN_PIXELS
    return _known_taps(source, target, wanted) if few else _taps(source, target, wanted)


def _taps(source: int, target: int, wanted: range) -> Taps:
    step = np.float32(source - 1) / np.float32(max(target - 1, 1))
    places = np.asarray(wanted)
    positions = places.astype(np.float32) * step
    lefts = positions.astype(np.int64)
    fractions = positions - lefts.astype(np.float32)
    # The last target pixel is a copy of the last source pixel; the product might be rounded away
    # from it.
    last = places == target - 1
    lefts[last], fractions[last] = source - 1, 0
    lefts = np.minimum(lefts, source - 1)  # float32 cannot count the pixels of an absurd target
    start = max(int(lefts[0]) - 1, 0)
    stop = min(int(lefts[-1]) + 3, source)
    first = (lefts - start).astype(np.int32)
    first.flags.writeable = fractions.flags.writeable = False  # many pictures share them
    return Taps(start=start, stop=stop, first=first, fractions=fractions)


_known_taps = lru_cache(maxsize=256)(_taps)


def scale_with_numpy(
    source: "NDArray[np.uint8 | np.float32]", rows: Taps, columns: Taps, levels: Levels
) -> "NDArray[np.float32]":
    """Scale and normalise the part of a picture that the taps read.

    Args:
        source: (rows.stop - rows.start, columns.stop - columns.start, C) uint8 or float32, any
            strides.
        rows: taps of the n rows of the result.
        columns: taps of its m columns.
        levels: the normalisation.

    Returns:
        (C, n, m) float32, C-contiguous.
    """
    height, width = len(rows.first), len(columns.first)
    tall = np.empty((len(source) + 2, width * source.shape[2]), np.float32)
    for block in _blocks(len(source)):
        tall[1:-1][block] = _scale_columns(source[block], columns, levels.unit)
    _extrapolate(tall)
    scaled = np.empty((height, tall.shape[1]), np.float32)
    indices = rows.indices()
    for block in _blocks(height):
        taps = [tall[tap] for tap in indices[:, block]]
        scaled[block] = _cubic(taps, rows.fractions[block, None])
    channels = scaled.reshape(height, width, -1).transpose(2, 0, 1)
    planes = np.add(channels, levels.shift[:, None, None], order="C")
    planes /= levels.divisor[:, None, None]
    return planes


def _blocks(rows: int) -> list[slice]:
    return [slice(top, top + BLOCK) for top in range(0, rows, BLOCK)]


def _scale_columns(
    source: "NDArray[np.uint8 | np.float32]", columns: Taps, unit: np.float32
) -> "NDArray[np.float32]":
    """Scale the width of (h, w, C) pixels to n; return (h, n * C) float32, pixel by pixel."""
    height, width, channels = source.shape
    wide = np.empty((height, width + 2, channels), np.float32)
    np.multiply(source, unit, out=wide[:, 1:-1])
    _extrapolate(wide.swapaxes(0, 1))
    flat = wide.reshape(height, -1)  # gathering single numbers is faster than triples
    gathers = columns.indices()[:, :, None] * channels + np.arange(channels)  # (4, n, C)
    taps = [np.take(flat, indices.ravel(), axis=1) for indices in gathers]
    return _cubic(taps, np.repeat(columns.fractions, channels))


def _extrapolate(lines: "NDArray[np.float32]") -> None:
    """Extrapolate, in place, the first and last of (n + 2, ...) lines from the n between them."""
    inner = lines[1:-1]
    lines[0] = 2 * inner[0] - inner[min(1, len(inner) - 1)]
    lines[-1] = 2 * inner[-1] - inner[max(-2, -len(inner))]


def _cubic(
    taps: "list[NDArray[np.float32]]", fractions: "NDArray[np.float32]"
) -> "NDArray[np.float32]":
    """Interpolate between the second and the third of four taps (Catmull-Rom).

    The original's constant 0.5 is a double, so the outermost product and sum are float64; all other
    operations are float32.

    Args:
        taps: four arrays (n, m) float32.
        fractions: float32, broadcast against the taps.
    """
    p0, p1, p2, p3 = taps
    a1 = p2 - p0
    a2 = 2 * p0 - 5 * p1 + 4 * p2 - p3
    a3 = 3 * (p1 - p2) + p3 - p0
    slope = a1 + fractions * (a2 + fractions * a3)
    value = p1 + 0.5 * fractions.astype(np.float64) * slope
    return value.astype(np.float32)
