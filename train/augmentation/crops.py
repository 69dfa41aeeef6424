"""How a training picture is cut out, as in 2017, each way with the numbers that it draws.

Source: datasets/transforms.lua of the original release.
"""

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.bicubic import Levels
from resnext.pixels.decoding import check_size
from resnext.pixels.resample import Window, scale_planes, scaled_size
from train.recipe.random_streams import RandomSource

Planes = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# How often a sized crop is drawn anew because it does not fit into the picture.
TRIES: Final = 10
ASPECT: Final = (3 / 4, 4 / 3)


def sized_crop(
    pixels: Pixels | Planes,
    size: int,
    numbers: RandomSource,
    *,
    unit: np.float32,
    least: float = 0.08,
) -> Planes:
    """Scale a rectangle of random area and shape to a square; the original's `RandomSizedCrop`.

    Where none of ten fits into the picture, its shorter side is scaled to `size`, and the centre
    taken.

    Args:
        pixels: (H, W, 3) uint8, or float32.
        size: of the square.
        numbers: draws area, shape, whether upright, top and left, for each try.
        unit: the value of one gray level.
        least: part of the picture's area.

    Returns:
        (3, size, size) float32, not clamped.
    """
    whole = Window(top=0, left=0, height=size, width=size)
    window = _sized_window(pixels.shape[0], pixels.shape[1], numbers=numbers, least=least)
    if window is None:
        height, width = scaled_size(pixels.shape[0], pixels.shape[1], size)
        check_size(height, width)
        centre = Window(
            top=(height - size + 1) // 2, left=(width - size + 1) // 2, height=size, width=size
        )
        return scaled(pixels, (height, width), centre, unit)
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    return scaled(pixels[rows, columns], (size, size), whole, unit)


def _sized_window(height: int, width: int, *, numbers: RandomSource, least: float) -> Window | None:
    for _ in range(TRIES):
        area = numbers.uniform(least, 1.0) * (height * width)
        aspect = numbers.uniform(*ASPECT)
        w, h = round_half_up(sqrt(area * aspect)), round_half_up(sqrt(area / aspect))
        if numbers.uniform(0.0, 1.0) < 0.5:
            w, h = h, w
        if 1 <= h <= height and 1 <= w <= width:
            top, left = numbers.whole(0, height - h), numbers.whole(0, width - w)
            return Window(top=top, left=left, height=h, width=w)
    return None


def round_half_up(value: float) -> int:
    """Return the nearest whole number of a value >= 0; of two the higher, as C's `round`."""
    return int(value + 0.5)


def horizontal_flip(picture: Planes, probability: float, numbers: RandomSource) -> Planes:
    """Return the mirror image, or the picture, (3, H, W)."""
    if probability and numbers.uniform(0.0, 1.0) < probability:
        return picture[:, :, ::-1]
    return picture


def padded_crop(picture: Planes, size: int, padding: int, numbers: RandomSource) -> Planes:
    """Cut a random square out of a picture (3, H, W) with a border; the original's `RandomCrop`.

    Args:
        size: of the square; at most the picture's sides with the border.
        padding: zeros on each side.
    """
    if padding:
        picture = np.pad(picture, ((0, 0), (padding, padding), (padding, padding)))
    _, height, width = picture.shape
    if (height, width) == (size, size):
        return picture
    # Left before top: the order in which the original drew.
    left, top = numbers.whole(0, width - size), numbers.whole(0, height - size)
    return picture[:, top : top + size, left : left + size]


def scaled(
    pixels: Pixels | Planes, size: tuple[int, int], window: Window, unit: np.float32
) -> Planes:
    """Return a window of a picture that is scaled to a size (height, width), as planes."""
    if size == pixels.shape[:2]:
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)
        return np.multiply(pixels[rows, columns].transpose(2, 0, 1), unit, order="C")
    # Adding -0 and dividing by 1 leave every bit as it is.
    levels = Levels(unit=unit, shift=np.full(3, -0.0, np.float32), divisor=np.ones(3, np.float32))
    return scale_planes(pixels, size, window, levels)
