"""TrivialAugmentWide and RandAugment, by torchvision's definitions of operations and magnitudes.

Operations work on 8-bit pixels through Pillow, whose own functions torchvision calls; what an
operation moves into the picture is black, and pixels are taken from the nearest place. The random
numbers are those of the picture, so that resuming changes nothing.
Source: torchvision/transforms/autoaugment.py (0.28); arXiv:2103.10158 and arXiv:1909.13719.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import atan, cos, degrees, radians, sin, tan
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from train.augmentation.crops import Planes
from train.recipe.augmentation import AutoAugment
from train.recipe.random_streams import RandomSource

# The number of magnitudes of an operation; RandAugment's operations, and the magnitude of each.
BINS: Final = 31
RAND_OPERATIONS: Final = 2
RAND_MAGNITUDE: Final = 9

Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitudes:
    """The magnitudes of an operation: `BINS` of them at equal distances.

    Attributes:
        first, last: the ends; relative to `of` where it is given.
        signed: half of the images get the magnitude with a minus.
        whole: they are rounded to whole numbers, halves to even ones.
        of: "width" or "height" of the image, of which the ends are fractions; "" for neither.
    """

    first: float
    last: float
    signed: bool = False
    whole: bool = False
    of: str = ""

    def at(self, place: int, image: Image.Image) -> float:
        """Return the magnitude at a place, 0 to `BINS` - 1, with torch's rounding to float32."""
        side = {"": 1, "width": image.width, "height": image.height}[self.of]
        first, last = (float(np.float32(end * side)) for end in (self.first, self.last))
        step = float(np.float32((last - first) / (BINS - 1)))
        # From the nearer end, as `torch.linspace` counts.
        value = first + step * place if place < BINS // 2 else last - step * (BINS - 1 - place)
        return float(round(value)) if self.whole else float(np.float32(value))


def sheared_x(image: Image.Image, magnitude: float) -> Image.Image:
    """Shift each row in proportion to its height in the picture."""
    return _affine(image, (1.0, tan(_angle(magnitude)), 0.0, 0.0, 1.0, 0.0))


def sheared_y(image: Image.Image, magnitude: float) -> Image.Image:
    """Shift each column in proportion to its distance from the left."""
    angle = _angle(magnitude)
    return _affine(image, (1.0, 0.0, 0.0, sin(angle) / cos(angle), 1.0, 0.0))


def moved_x(image: Image.Image, magnitude: float) -> Image.Image:
    """Move the picture to the right by whole pixels."""
    return _affine(image, (1.0, 0.0, -float(int(magnitude)), 0.0, 1.0, 0.0))


def moved_y(image: Image.Image, magnitude: float) -> Image.Image:
    """Move the picture down by whole pixels."""
    return _affine(image, (1.0, 0.0, 0.0, 0.0, 1.0, -float(int(magnitude))))


def rotated(image: Image.Image, magnitude: float) -> Image.Image:
    """Turn the picture counter-clockwise by degrees around its centre."""
    return image.rotate(magnitude, Image.Resampling.NEAREST, fillcolor=(0, 0, 0))


def _angle(magnitude: float) -> float:
    """Return the angle of a shear, rounded as where it is handed over in degrees."""
    return radians(degrees(atan(magnitude)))


def _affine(image: Image.Image, matrix: Matrix) -> Image.Image:
    return image.transform(
        image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(0, 0, 0)
    )


# Operation -> what it does to an RGB image with a magnitude.
OPERATIONS: Final[Mapping[str, Callable[[Image.Image, float], Image.Image]]] = {
    "Identity": lambda image, _: image,
    "ShearX": sheared_x,
    "ShearY": sheared_y,
    "TranslateX": moved_x,
    "TranslateY": moved_y,
    "Rotate": rotated,
    "Brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(1.0 + m),
    "Color": lambda image, m: ImageEnhance.Color(image).enhance(1.0 + m),
    "Contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(1.0 + m),
    "Sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(1.0 + m),
    "Posterize": lambda image, m: ImageOps.posterize(image, int(m)),
    "Solarize": lambda image, m: ImageOps.solarize(image, m),  # type: ignore[arg-type]
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Equalize": lambda image, _: ImageOps.equalize(image),
}

WITHOUT: Final[Mapping[str, Magnitudes | None]] = {"AutoContrast": None, "Equalize": None}

# Operation -> its magnitudes; None for one without. The order is torchvision's, as places in it
# are drawn.
TRIVIAL_AUGMENT_WIDE: Final[Mapping[str, Magnitudes | None]] = {
    "Identity": None,
    "ShearX": Magnitudes(first=0.0, last=0.99, signed=True),
    "ShearY": Magnitudes(first=0.0, last=0.99, signed=True),
    "TranslateX": Magnitudes(first=0.0, last=32.0, signed=True),
    "TranslateY": Magnitudes(first=0.0, last=32.0, signed=True),
    "Rotate": Magnitudes(first=0.0, last=135.0, signed=True),
    "Brightness": Magnitudes(first=0.0, last=0.99, signed=True),
    "Color": Magnitudes(first=0.0, last=0.99, signed=True),
    "Contrast": Magnitudes(first=0.0, last=0.99, signed=True),
    "Sharpness": Magnitudes(first=0.0, last=0.99, signed=True),
    "Posterize": Magnitudes(first=8.0, last=2.0, whole=True),
    "Solarize": Magnitudes(first=255.0, last=0.0),
    **WITHOUT,
}
RAND_AUGMENT: Final[Mapping[str, Magnitudes | None]] = {
    "Identity": None,
    "ShearX": Magnitudes(first=0.0, last=0.3, signed=True),
    "ShearY": Magnitudes(first=0.0, last=0.3, signed=True),
    "TranslateX": Magnitudes(first=0.0, last=150.0 / 331.0, signed=True, of="width"),
    "TranslateY": Magnitudes(first=0.0, last=150.0 / 331.0, signed=True, of="height"),
    "Rotate": Magnitudes(first=0.0, last=30.0, signed=True),
    "Brightness": Magnitudes(first=0.0, last=0.9, signed=True),
    "Color": Magnitudes(first=0.0, last=0.9, signed=True),
    "Contrast": Magnitudes(first=0.0, last=0.9, signed=True),
    "Sharpness": Magnitudes(first=0.0, last=0.9, signed=True),
    "Posterize": Magnitudes(first=8.0, last=4.0, whole=True),
    "Solarize": Magnitudes(first=255.0, last=0.0),
    **WITHOUT,
}


def auto_augment(
    planes: Planes, kind: AutoAugment, numbers: RandomSource, *, white: float
) -> Planes:
    """Apply random operations to an image, which is rounded to 8 bits for them.

    Args:
        planes: (3, H, W) float32, not normalised.
        kind: which operations; `AutoAugment.NONE` returns the image as it is.
        numbers: draws operation, magnitude (TrivialAugmentWide only) and sign, in this order.
        white: the value of white in the image.

    Returns:
        (3, H, W) float32 in the same units.
    """
    if kind is AutoAugment.NONE:
        return planes
    image = _to_image(planes, white)
    if kind is AutoAugment.TRIVIAL:
        image = _operated(image, TRIVIAL_AUGMENT_WIDE, numbers, place=None)
    else:
        for _ in range(RAND_OPERATIONS):
            image = _operated(image, RAND_AUGMENT, numbers, place=RAND_MAGNITUDE)
    pixels = np.asarray(image, np.float32).transpose(2, 0, 1)
    return np.multiply(pixels, np.float32(white / 255), order="C")


def _operated(
    image: Image.Image,
    space: Mapping[str, Magnitudes | None],
    numbers: RandomSource,
    *,
    place: int | None,
) -> Image.Image:
    """Apply one random operation; its magnitude is drawn too where no place is given."""
    name = tuple(space)[numbers.whole(0, len(space) - 1)]
    magnitudes, magnitude = space[name], 0.0
    if magnitudes is not None:
        magnitude = magnitudes.at(numbers.whole(0, BINS - 1) if place is None else place, image)
        if magnitudes.signed and numbers.whole(0, 1):
            magnitude = -magnitude
    return OPERATIONS[name](image, magnitude)


def _to_image(planes: Planes, white: float) -> Image.Image:
    """Return planes (3, H, W) as an RGB image of 8 bits; values beyond black and white are cut."""
    levels = np.rint(planes * np.float32(255 / white)).clip(0, 255)
    pixels = np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))
    return Image.fromarray(pixels)
