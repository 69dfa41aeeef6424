"""The random changes to a training image, as values of a recipe."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Crop(StrEnum):
    """How a training image is cropped, named as in torchvision.

    RANDOM_RESIZED_CROP: a random area and aspect ratio, resized to the crop (ImageNet in 2017).
    RANDOM_CROP: a random square of the image as it is resized for validation, with zeros around it
    if `padding` says so (CIFAR in 2017).
    """

    RANDOM_RESIZED_CROP = "RandomResizedCrop"
    RANDOM_CROP = "RandomCrop"


class AutoAugment(StrEnum):
    """Which of torchvision's automatic augmentations an image gets, with torchvision's defaults.

    TRIVIAL: `TrivialAugmentWide`, one operation of random magnitude. RAND: `RandAugment`, two
    operations of magnitude 9.
    """

    NONE = "none"
    TRIVIAL = "trivial"
    RAND = "rand"


# The range of aspect ratios of 2017, and torchvision's default.
USUAL_RATIO: Final = (3 / 4, 4 / 3)

# The changes of torchvision's `ColorJitter` that 2017 had too, in the original's order.
COLOR_CHANGES: Final = ("brightness", "contrast", "saturation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """The random changes to a training image, beside its normalisation.

    Attributes:
        crop: how it is cropped.
        crop_scale: least and largest fraction of the image's area that a `RandomResizedCrop` takes.
        crop_ratio: least and largest aspect ratio (width / height) of a `RandomResizedCrop`.
        padding: pixels of zeros on each side of the image before a `RandomCrop`.
        auto_augment: operations of torchvision's `TrivialAugmentWide` or `RandAugment`.
        brightness, contrast, saturation: largest relative change of each, as of torchvision's
            `ColorJitter`; they are applied in random order.
        pca_lighting: standard deviation of the shift along ImageNet's principal colour components.
        flip: probability of a horizontal flip.
    """

    crop: Crop
    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = USUAL_RATIO
    padding: int = 0
    auto_augment: AutoAugment = AutoAugment.NONE
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    pca_lighting: float = 0.0
    flip: float = 0.5

    @property
    def color_jitter(self) -> tuple[float, float, float]:
        """Return the largest change of each of `COLOR_CHANGES`."""
        return self.brightness, self.contrast, self.saturation
