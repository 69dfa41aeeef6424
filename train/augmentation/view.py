"""The original's random changes to a training picture, each with the numbers that it draws.

Pictures are planes (3, H, W) float32 in units of `white`; the first crop takes the decoded pixels.
Source: datasets/transforms.lua and datasets/{imagenet,cifar10}.lua of the original release.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from resnext.errors import ImageError
from resnext.pixels.decoding import check_size
from resnext.pixels.resample import Window, scaled_size
from resnext.preprocessing import Preprocessing
from train.augmentation.colours import color_jitter, lighting
from train.augmentation.crops import horizontal_flip, padded_crop, scaled, sized_crop
from train.recipe.random_streams import GeneratorSource, RandomSource, StreamUse, stream
from train.recipe.recipe import Augmentation, Crop

Planes = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrainingView:
    """From pixels (H, W, 3) uint8 to one epoch's network input (3, crop, crop) float32.

    Attributes:
        preprocessing: the row that belongs to the weights.
        augmentation: what is changed at random.
        seed: of the run.
        epoch: counted from 1.
    """

    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int
    epoch: int

    def __call__(self, pixels: Pixels, position: int) -> Planes:
        """Return what the network sees of the picture at a place of the image set.

        Raises:
            ImageError: it is smaller than the crop where nothing is scaled.
        """
        numbers = GeneratorSource(stream(self.seed, StreamUse.PICTURE, self.epoch, position))
        return augment(pixels, self.preprocessing, self.augmentation, numbers)


def augment(
    pixels: Pixels, preprocessing: Preprocessing, augmentation: Augmentation, numbers: RandomSource
) -> Planes:
    """Return a training picture as the network sees it: (3, crop, crop) float32, C-contiguous.

    In the original's order: cut out (sized), colours, normalise, mirror, cut out (the others).

    Raises:
        ImageError: a picture that is smaller than the crop where nothing is scaled.
    """
    unit = np.float32(preprocessing.white / 255)
    if augmentation.crop is Crop.SIZED:
        picture = sized_crop(
            pixels, preprocessing.crop, numbers, unit=unit, least=augmentation.area
        )
    else:
        picture = _as_validated(pixels, preprocessing, unit)
    picture = color_jitter(picture, augmentation.jitter, numbers)
    picture = lighting(picture, augmentation.lighting, numbers, white=preprocessing.white)
    picture = _normalised(picture, preprocessing)
    picture = horizontal_flip(picture, augmentation.flip, numbers)
    match augmentation.crop:
        case Crop.SIZED:
            pass
        case Crop.PADDED:
            picture = padded_crop(picture, preprocessing.crop, augmentation.padding, numbers)
        case Crop.SHIFTED:
            picture = padded_crop(picture, preprocessing.crop, 0, numbers)
        case _:
            assert_never(augmentation.crop)
    return np.ascontiguousarray(picture)


def _as_validated(pixels: Pixels, preprocessing: Preprocessing, unit: np.float32) -> Planes:
    """Return the whole picture as it is scaled for validation, not normalised yet."""
    height, width, _ = pixels.shape
    if preprocessing.scale is not None:
        height, width = scaled_size(height, width, preprocessing.scale)
        check_size(height, width)
    if min(height, width) < preprocessing.crop:
        raise ImageError(
            f"at least {preprocessing.crop} x {preprocessing.crop} pixels expected, found "
            f"{width} x {height}; use a preprocessing that scales, or larger images"
        )
    whole = Window(top=0, left=0, height=height, width=width)
    return scaled(pixels, (height, width), whole, unit)


def _normalised(picture: Planes, preprocessing: Preprocessing) -> Planes:
    shift = -np.array(preprocessing.mean)
    std = np.array(preprocessing.std)
    planes: Planes = picture + shift.astype(np.float32)[:, None, None]
    planes /= std.astype(np.float32)[:, None, None]
    return planes
