"""The original's validation pipeline, from decoded pixels: scale, normalise, crop.

Source: datasets/transforms.lua and datasets/imagenet.lua of the original release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from resnext.errors import ImageError
from resnext.pixels.bicubic import Levels, Taps, find_taps
from resnext.pixels.decoding import check_size
from resnext.pixels.resample import Window, scale_planes, scaled_size
from resnext.preprocessing import Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray


def prepare_pixels(
    pixels: "NDArray[np.uint8]", preprocessing: Preprocessing
) -> "NDArray[np.float32]":
    """Return the single centre crop of a decoded picture.

    Args:
        pixels: (H, W, 3) uint8.
        preprocessing: the row that belongs to the weights.

    Returns:
        (3, crop, crop) float32, C-contiguous.
    """
    height, width = size_before_crop(pixels, preprocessing)
    crop = preprocessing.crop
    window = Window(top=_centre(height, crop), left=_centre(width, crop), height=crop, width=crop)
    return _normalised_window(pixels, (height, width), window, preprocessing)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawCrop:
    """The pixels that the centre crop of a picture is interpolated from, to be scaled by a device.

    Attributes:
        pixels: (H, W, 3) uint8, a view of the picture: only the rows and columns that are read.
        rows: taps of the rows of the crop.
        columns: taps of its columns.
        preprocessing: the row that belongs to the weights, still to be applied.
    """

    pixels: "NDArray[np.uint8]"
    rows: Taps
    columns: Taps
    preprocessing: Preprocessing


def raw_crop(pixels: "NDArray[np.uint8]", preprocessing: Preprocessing) -> RawCrop:
    """Return the raw crop of a decoded picture, for its single centre crop.

    Args:
        pixels: (H, W, 3) uint8.
        preprocessing: the row that belongs to the weights.
    """
    size, crop = size_before_crop(pixels, preprocessing), preprocessing.crop
    starts = [_centre(side, crop) for side in size]
    rows, columns = (
        find_taps(source, target, range(start, start + crop))
        for source, target, start in zip(pixels.shape[:2], size, starts, strict=True)
    )
    read = pixels[rows.start : rows.stop, columns.start : columns.stop]
    return RawCrop(
        pixels=read,
        rows=rows,
        columns=columns,
        preprocessing=preprocessing,
    )


def crop_tables(
    shapes: Sequence[tuple[int, int]], rows: Sequence[Taps], columns: Sequence[Taps]
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]":
    """Return what a device has to know of raw crops whose pixels lie one behind another.

    Args:
        shapes: (height, width) of each raw crop.
        rows, columns: taps of each.

    Returns:
        `starts`, `sizes`, `firsts` and `fractions` of `resnext.pixels.raw_crops.RawCrops`.
    """
    sizes = np.array(shapes, np.int64).reshape(-1, 2)
    ends = np.cumsum(3 * sizes[:, 0] * sizes[:, 1])
    return (
        np.concatenate([np.zeros(1, np.int64), ends[:-1]]),
        sizes,
        np.array([[each.first for each in taps] for taps in (rows, columns)], np.int64),
        np.array([[each.fractions for each in taps] for taps in (rows, columns)], np.float32),
    )


def prepare_ten_pixels(
    pixels: "NDArray[np.uint8]", preprocessing: Preprocessing
) -> "NDArray[np.float32]":
    """Return the ten crops of a decoded picture, over which the original sums the logits.

    Args:
        pixels: (H, W, 3) uint8.
        preprocessing: the row that belongs to the weights.

    Returns:
        (10, 3, crop, crop) float32, C-contiguous: centre, top left, top right, bottom left, bottom
        right, then the same of the mirror image. The centre of the mirror image is not always
        the mirror image of the centre: an odd margin is rounded up in both.
    """
    height, width = size_before_crop(pixels, preprocessing)
    crop = preprocessing.crop
    whole = Window(top=0, left=0, height=height, width=width)
    upright = _normalised_window(pixels, (height, width), whole, preprocessing)
    bottom, right = height - crop, width - crop
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    places = [(_centre(height, crop), _centre(width, crop)), *corners]
    return np.stack(
        [
            picture[:, top : top + crop, left : left + crop]
            for picture in (upright, upright[:, :, ::-1])
            for top, left in places
        ]
    )


def size_before_crop(pixels: "NDArray[np.uint8]", preprocessing: Preprocessing) -> tuple[int, int]:
    """Return (height, width) of the scaled picture, which holds the crop.

    Raises:
        ImageError: it is smaller than the crop, or so narrow that it would have more than
            `MAX_PIXELS` pixels.
    """
    height, width, _ = pixels.shape
    if preprocessing.scale is not None:
        height, width = scaled_size(height, width, preprocessing.scale)
        check_size(height, width)
    if min(height, width) < preprocessing.crop:
        raise ImageError(
            f"at least {preprocessing.crop} x {preprocessing.crop} pixels expected, found "
            f"{width} x {height}; scale them (--scale), or give larger images"
        )
    return height, width


def _centre(side: int, crop: int) -> int:
    """Return where a centre crop starts: ceil((side - crop) / 2)."""
    return (side - crop + 1) // 2


def _normalised_window(
    pixels: "NDArray[np.uint8]",
    size: tuple[int, int],
    window: Window,
    preprocessing: Preprocessing,
) -> "NDArray[np.float32]":
    """Return a window of the scaled picture as (3, height, width) float32, normalised."""
    levels = levels_of(preprocessing)
    if size != pixels.shape[:2]:
        return scale_planes(pixels, size, window, levels)
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    planes = np.multiply(pixels[rows, columns].transpose(2, 0, 1), levels.unit, order="C")
    planes += levels.shift[:, None, None]
    planes /= levels.divisor[:, None, None]
    return planes


@lru_cache(maxsize=16)
def levels_of(preprocessing: Preprocessing) -> Levels:
    """Return the original's normalisation, whose -mean and std are rounded to float32 each."""
    return Levels(
        unit=np.float32(preprocessing.white / 255),
        shift=(-np.array(preprocessing.mean)).astype(np.float32),
        divisor=np.array(preprocessing.std, np.float32),
    )
