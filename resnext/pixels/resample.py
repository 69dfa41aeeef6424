"""Torch7's bicubic `image.scale`, equal in every bit, computed only for the window that is needed.

It differs from the functions of PIL, OpenCV and PyTorch: the corners of source and target are
aligned, there is no antialiasing, pixels beyond the border are extrapolated linearly, and the
result is neither clamped nor rounded to bytes. Source: `image` 5aa1881, generic/image.c.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from resnext.fast_path import FastPath, choose_first
from resnext.pixels.bicubic import Levels, find_taps, scale_with_numpy
from resnext.pixels.compiled_bicubic import Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def scale_planes(
    pixels: "NDArray[np.uint8 | np.float32]", size: tuple[int, int], window: Window, levels: Levels
) -> "NDArray[np.float32]":
    """Scale and normalise a picture and return a window of the result, channel by channel.

    Args:
        pixels: (H, W, C) uint8, any strides; or float32, which the compiled kernel does not take.
        size: (height, width) of the whole scaled picture.
        window: the part of it to return; lies inside.
        levels: the normalisation.

    Returns:
        (C, window.height, window.width) float32, C-contiguous.
    """
    if size == pixels.shape[:2]:  # there is nothing to interpolate
        part = pixels[window.top :, window.left :][: window.height, : window.width]
        planes = np.multiply(part.transpose(2, 0, 1), levels.unit, order="C")
        planes += levels.shift[:, None, None]
        planes /= levels.divisor[:, None, None]
        return planes
    rows = find_taps(pixels.shape[0], size[0], range(window.top, window.top + window.height))
    columns = find_taps(pixels.shape[1], size[1], range(window.left, window.left + window.width))
    source: NDArray[Any] = pixels[rows.start : rows.stop, columns.start : columns.stop]
    kernel = trusted_kernel() if pixels.dtype == np.uint8 else None
    return (kernel or scale_with_numpy)(source, rows, columns, levels)


def engine() -> str:
    """Say what scales here, for a report; the bits are the same."""
    return "compiled" if trusted_kernel() else "NumPy"


@cache
def trusted_kernel() -> Kernel | None:
    """Return the compiled kernel if there is one and its bits are NumPy's; else None.

    It was built by whatever compiler and flags the machine had, so its bits are checked first.
    """
    kernel = Kernel.installed()
    if kernel is None:
        return None
    path = FastPath(
        label="the compiled bicubic is not used",
        attempt=lambda: kernel if agrees(kernel) else None,
        disagreement="its bits are not NumPy's",
    )
    return choose_first([path]).chosen


def agrees(kernel: Kernel) -> bool:
    """Tell whether a kernel has NumPy's bits, for one small and busy picture."""
    pixels = (np.arange(40 * 50 * 3) ** 2 % 251).astype(np.uint8).reshape(40, 50, 3)
    thirds = np.full(3, 1 / 3, np.float32)
    levels = Levels(unit=np.float32(1 / 255), shift=thirds, divisor=thirds)
    lines = find_taps(40, 27, range(27)), find_taps(50, 63, range(63))
    expected = scale_with_numpy(pixels, *lines, levels)
    return kernel(pixels, *lines, levels).tobytes() == expected.tobytes()
