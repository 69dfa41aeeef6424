"""Whether the pipeline of a network fits the pictures: how much of them the crop shows.

A network for small pictures crops them as they are. Of larger ones it would see the middle alone
when it is validated, and, where training scales rectangles of them, something else in training.
"""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np

from resnext.errors import DataError, ImageError
from resnext.images.image_set import ImageSet
from resnext.loader.library_warnings import silenced
from resnext.pixels.decoding import decode_picture, picture_size
from resnext.preprocessing import Preprocessing
from train.input.split import Images
from train.recipe.augmentation import Augmentation, Crop

# Pictures of each set whose sizes are read.
SAMPLED: Final = 64
# Of the shorter side: pictures that nothing scales and of which the crop shows less get a scale.
COVERED: Final = 0.7
# So do pictures of many sizes, of which more than this part is smaller than the crop.
SMALLER: Final = 0.1
# What the user is told of where the scale was stated: a crop of less than this of the shorter
# side, and things that look so many times as large in validation as in training, or as small.
LITTLE: Final = 0.5
FAR: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFit:
    """How a pipeline fits the middle one of some pictures.

    Attributes:
        sides: the shorter sides of the smallest and of the largest picture, in pixels.
        smaller: part of the pictures that is smaller than the crop and is not scaled.
        covered: side of the crop over the shorter side of the scaled picture.
        enlarged: how many times as large as in training, on average, things look in validation.
    """

    sides: tuple[int, int]
    smaller: float
    covered: float
    enlarged: float

    def describe(self, crop: int) -> str:
        """Return in words what the crop shows."""
        low, high = self.sides
        sides = f"{low} to {high} pixels" if low < high else f"{low} pixels"
        text = f"pictures of {sides} (the shorter side), of which "
        if self.smaller:
            return f"{text}{self.smaller:.0%} are smaller than the crop of {crop} pixels"
        text += f"the crop of {crop} pixels shows {self.covered:.0%}"
        if not 1 / FAR <= self.enlarged <= FAR:
            how = "large" if self.enlarged > 1 else "small"
            times = max(self.enlarged, 1 / self.enlarged)
            text += f", and things {times:.1f} times as {how} as in training"
        return text


def fitted_preprocessing(
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    images: Images,
    *,
    scale_stated: bool = False,
    crop_stated: bool = False,
) -> tuple[Preprocessing, str | None]:
    """Return the preprocessing with a scale where the pictures need one, and a note about it.

    Pictures that are nearly all smaller than the crop get none: the check of all pictures refuses
    them, as a network for larger ones was meant. With a crop of the user's own they do.

    Args:
        preprocessing: of the network.
        augmentation: of the recipe, whose crop decides what training shows of a picture.
        images: of which a sample is looked at.
        scale_stated: the user has stated the scale, which then stays.
        crop_stated: the user has stated the crop.
    """
    sizes = sampled_sizes(images.train) + sampled_sizes(images.val)
    if not sizes:
        return preprocessing, None  # the check of all pictures says why
    fit = picture_fit(sizes, preprocessing, augmentation)
    text = f"{images.train.root}: {fit.describe(preprocessing.crop)}"
    needs_one = fit.covered < COVERED or SMALLER < fit.smaller < 1
    if preprocessing.scale is None and not scale_stated:
        if not (needs_one or (crop_stated and fit.smaller)):
            return preprocessing, None
        scale = usual_scale(preprocessing.crop)
        note = (
            f"{text}, and nothing scales them: scale {scale} taken, --scale N is another, "
            "--scale 0 none"
        )
        return replace(preprocessing, scale=scale), note
    if not fit.smaller and (fit.covered < LITTLE or not 1 / FAR <= fit.enlarged <= FAR):
        return preprocessing, f"{text}; --scale and --crop state others"
    return preprocessing, None


def usual_scale(crop: int) -> int:
    """Return the scale that is to a crop as the 256 of ImageNet is to 224."""
    return crop * 8 // 7


def sampled_sizes(images: ImageSet) -> list[tuple[int, int]]:
    """Return (height, width) of up to `SAMPLED` pictures of a set, evenly spread over it.

    The pictures are not decoded. Those that cannot be read are left out. What libraries print about
    them is dropped: it is told when they are decoded.
    """
    with silenced():
        return _sampled_sizes(images)


def _sampled_sizes(images: ImageSet) -> list[tuple[int, int]]:
    count = min(len(images), SAMPLED)
    found = []
    for position in np.linspace(0, len(images) - 1, count).astype(int).tolist():
        try:
            data = images.reader.read(position)
            if images.decode is decode_picture:
                found.append(picture_size(data))
            else:
                height, width, _ = images.decode(data).pixels.shape
                found.append((height, width))
        except (DataError, ImageError):
            continue
    return found


def picture_fit(
    sizes: list[tuple[int, int]], preprocessing: Preprocessing, augmentation: Augmentation
) -> PictureFit:
    """Return how a pipeline fits pictures of these sizes (height, width), one or more."""
    sides = [min(size) for size in sizes]
    crop, scale = preprocessing.crop, preprocessing.scale
    covered = [crop / (scale or side) for side in sides]
    enlarged = [1.0]
    if augmentation.crop is Crop.RANDOM_RESIZED_CROP:
        # In training a rectangle of this part of the picture's area, on average, becomes the crop.
        part = sum(augmentation.crop_scale) / 2
        enlarged = [
            (scale or side) / side * sqrt(part * height * width) / crop
            for side, (height, width) in zip(sides, sizes, strict=True)
        ]
    return PictureFit(
        sides=(min(sides), max(sides)),
        smaller=0.0 if scale else float(np.mean([side < crop for side in sides])),
        covered=float(np.median(covered)),
        enlarged=float(np.median(enlarged)),
    )
