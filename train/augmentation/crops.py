"""Crops and flips of 2017, with random numbers drawn in the original's order.

Source: datasets/transforms.lua of the original release.
"""

from math import isclose, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.bicubic import Levels
from resnext.pixels.decoding import check_size
from resnext.pixels.resample import Window, scale_planes, scaled_size
from train.recipe.augmentation import USUAL_RATIO
from train.recipe.random_streams import RandomSource

Planes = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# How often a resized crop is drawn until one fits into the image.
TRIES: Final = 10


def random_resized_crop(
    pixels: Pixels | Planes,
    size: int,
    numbers: RandomSource,
    *,
    unit: np.float32,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = USUAL_RATIO,
) -> Planes:
    """Resize a crop of random area and aspect ratio to a square: torchvision's `RandomResizedCrop`.

    The shape is drawn as by `RandomSizedCrop` of the original: width over height uniformly from the
    ratio, then width and height change places with a probability of a half. They do not where the
    range is not its own inverse, as no shape outside of it is wanted then.

    If none of ten random crops fits into the image, its shorter side is resized to `size`, and the
    centre is cropped.

    Args:
        pixels: (H, W, 3) uint8, or float32.
        size: side of the square.
        numbers: draws area, aspect ratio, orientation, top and left for each try.
        unit: value of one gray level in the result.
        scale: least and largest fraction of the image's area.
        ratio: least and largest width over height.

    Returns:
        (3, size, size) float32, not clamped.
    """
    whole = Window(top=0, left=0, height=size, width=size)
    window = _random_window(pixels.shape[0], pixels.shape[1], numbers, scale=scale, ratio=ratio)
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


def _random_window(
    height: int,
    width: int,
    numbers: RandomSource,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Window | None:
    exchanged = isclose(ratio[0] * ratio[1], 1.0)
    for _ in range(TRIES):
        area = numbers.uniform(*scale) * (height * width)
        aspect = numbers.uniform(*ratio)
        w, h = round_half_up(sqrt(area * aspect)), round_half_up(sqrt(area / aspect))
        if exchanged and numbers.uniform(0.0, 1.0) < 0.5:
            w, h = h, w
        if 1 <= h <= height and 1 <= w <= width:
            top, left = numbers.whole(0, height - h), numbers.whole(0, width - w)
            return Window(top=top, left=left, height=h, width=w)
    return None


def round_half_up(value: float) -> int:
    """Round a value >= 0 to the nearest integer, halves up, as C's `round` does."""
    return int(value + 0.5)


def horizontal_flip(image: Planes, probability: float, numbers: RandomSource) -> Planes:
    """Return the image (3, H, W), mirrored with a probability."""
    if probability and numbers.uniform(0.0, 1.0) < probability:
        return image[:, :, ::-1]
    return image


def random_crop(image: Planes, size: int, padding: int, numbers: RandomSource) -> Planes:
    """Crop a random square from a padded image (3, H, W): `RandomCrop` of the original.

    Args:
        size: side of the square; at most the sides of the padded image.
        padding: zeros on each side.
    """
    if padding:
        image = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    _, height, width = image.shape
    if (height, width) == (size, size):
        return image
    # Left before top: the order in which the original drew.
    left, top = numbers.whole(0, width - size), numbers.whole(0, height - size)
    return image[:, top : top + size, left : left + size]


def scaled(
    pixels: Pixels | Planes, size: tuple[int, int], window: Window, unit: np.float32
) -> Planes:
    """Return a window of an image that is resized to a size (height, width), as planes."""
    # Adding -0 and dividing by 1 change no bit.
    levels = Levels(unit=unit, shift=np.full(3, -0.0, np.float32), divisor=np.ones(3, np.float32))
    return scale_planes(pixels, size, window, levels)
