"""The original's validation pipeline, from decoded pixels: scale, normalise, crop.

Source: datasets/transforms.lua and datasets/imagenet.lua of the original release.
"""

from collections.abc import Callable, Sequence
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
    return scale_planes(pixels, (height, width), window, levels_of(preprocessing))


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
    upright = scale_planes(pixels, (height, width), whole, levels_of(preprocessing))
    return ten_crops(upright, crop, lambda margin: _centre(margin, 0))


def ten_crops(
    planes: "NDArray[np.float32]", crop: int, centre: Callable[[int], int]
) -> "NDArray[np.float32]":
    """Return ten crops (10, C, crop, crop) of (C, H, W), in the order of `prepare_ten_pixels`.

    Args:
        planes: of the whole scaled picture, not smaller than the crop.
        crop: their side.
        centre: of the margin in pixels, >= 0, to where the centre crop starts.
    """
    bottom, right = (side - crop for side in planes.shape[1:])
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    return np.stack(
        [
            picture[:, top : top + crop, left : left + crop]
            for picture in (planes, planes[:, :, ::-1])
            for top, left in [(centre(bottom), centre(right)), *corners]
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
    check_crop(height, width, preprocessing.crop)
    return height, width


def check_crop(height: int, width: int, crop: int) -> None:
    """Refuse a scaled picture that is smaller than the crop.

    Raises:
        ImageError: it is.
    """
    if min(height, width) < crop:
        raise ImageError(
            f"at least {crop} x {crop} pixels expected, found {width} x {height}; scale them "
            "(--scale), or give larger images"
        )


def _centre(side: int, crop: int) -> int:
    """Return where a centre crop starts: ceil((side - crop) / 2)."""
    return (side - crop + 1) // 2


@lru_cache(maxsize=16)
def levels_of(preprocessing: Preprocessing) -> Levels:
    """Return the original's normalisation, whose -mean and std are rounded to float32 each."""
    return Levels(
        unit=np.float32(preprocessing.white / 255),
        shift=(-np.array(preprocessing.mean)).astype(np.float32),
        divisor=np.array(preprocessing.std, np.float32),
    )
