"""The augmentation of a training image, from decoded pixels to network input.

Images are planes (3, H, W) float32 in which white has the value `white` of the preprocessing.
Source: datasets/transforms.lua and datasets/{imagenet,cifar10}.lua of the original release.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.resample import Window
from resnext.pixels.transforms import size_before_crop
from resnext.preprocessing import Preprocessing
from train.augmentation.auto_augment import auto_augment
from train.augmentation.colours import color_jitter, pca_lighting
from train.augmentation.crops import horizontal_flip, random_crop, random_resized_crop, scaled
from train.recipe.augmentation import Augmentation, Crop
from train.recipe.random_streams import GeneratorSource, RandomSource, StreamUse, stream

Planes = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrainingView:
    """Prepares pixels (H, W, 3) uint8 as an epoch's network input (3, crop, crop) float32.

    Attributes:
        preprocessing: of the network.
        augmentation: of the recipe.
        seed: of the run.
        epoch: counted from 1.
    """

    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int
    epoch: int

    def __call__(self, pixels: Pixels, position: int) -> Planes:
        """Return the network input for the image at a position of the image set.

        Raises:
            ImageError: the image is smaller than the crop, and the preprocessing does not resize.
        """
        numbers = GeneratorSource(stream(self.seed, StreamUse.PICTURE, self.epoch, position))
        return augment(pixels, self.preprocessing, self.augmentation, numbers)


def augment(
    pixels: Pixels, preprocessing: Preprocessing, augmentation: Augmentation, numbers: RandomSource
) -> Planes:
    """Return the network input for a training image: (3, crop, crop) float32, C-contiguous.

    The order is the original's: resized crop, colours, normalisation, flip, random crop. The
    operations of automatic augmentation come before the colours.

    Raises:
        ImageError: the image is smaller than the crop, and the preprocessing does not resize.
    """
    size, white = preprocessing.crop, preprocessing.white
    unit = np.float32(white / 255)
    match augmentation.crop:
        case Crop.RANDOM_RESIZED_CROP:
            scale, ratio = augmentation.crop_scale, augmentation.crop_ratio
            image = random_resized_crop(pixels, size, numbers, unit=unit, scale=scale, ratio=ratio)
        case Crop.RANDOM_CROP:
            image = _resized(pixels, preprocessing, unit)
        case _:
            assert_never(augmentation.crop)
    image = auto_augment(image, augmentation.auto_augment, numbers, white=white)
    image = color_jitter(image, augmentation.color_jitter, numbers)
    image = pca_lighting(image, augmentation.pca_lighting, numbers, white=white)
    image = _normalised(image, preprocessing)
    image = horizontal_flip(image, augmentation.flip, numbers)
    if augmentation.crop is Crop.RANDOM_CROP:
        image = random_crop(image, size, augmentation.padding, numbers)
    return np.ascontiguousarray(image)


def _resized(pixels: Pixels, preprocessing: Preprocessing, unit: np.float32) -> Planes:
    """Return the whole image, resized to the sides of validation and not normalised.

    By the original's bicubic, as every training picture, whatever the network's pipeline.
    """
    height, width = size_before_crop(pixels, preprocessing)
    whole = Window(top=0, left=0, height=height, width=width)
    return scaled(pixels, (height, width), whole, unit)


def _normalised(image: Planes, preprocessing: Preprocessing) -> Planes:
    shift = -np.array(preprocessing.mean)
    std = np.array(preprocessing.std)
    planes: Planes = image + shift.astype(np.float32)[:, None, None]
    planes /= std.astype(np.float32)[:, None, None]
    return planes
