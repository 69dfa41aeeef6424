"""The pipelines from pictures to network input: the original's, and the usual one."""

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnext.errors import PreprocessingError
from resnext.fields import shown
from resnext.pixels.pictures import pixels_of
from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.pixels.transforms import RawCrop, prepare_pixels, prepare_ten_pixels, raw_crop
from resnext.preprocessing import Preprocessing, known_preprocessing

if TYPE_CHECKING:
    import torch

    from resnext.pixels.pictures import Pictured


class Pipeline(StrEnum):
    """Whose scaling and cropping: the original's, or torchvision's with Pillow."""

    TORCH7 = "torch7"
    PIL = "pil"


PREPARES = {
    (Pipeline.TORCH7, 1): prepare_pixels,
    (Pipeline.TORCH7, 10): prepare_ten_pixels,
    (Pipeline.PIL, 1): prepare_pil,
    (Pipeline.PIL, 10): prepare_ten_pil,
}


@dataclass(frozen=True, slots=True)
class Preparation:
    """A way from pixels (H, W, 3) uint8 to network input float32.

    Equal preparations return equal bits, so networks that have equal ones share their inputs.

    Attributes:
        pipeline: whose scaling and cropping.
        crops: 1 or 10.
        preprocessing: the row that belongs to the weights.
        on_device: whether a device scales the picture later, which it can for the original's single
            crop only.
    """

    pipeline: Pipeline
    crops: int
    preprocessing: Preprocessing
    on_device: bool = False

    def __call__(self, pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32] | RawCrop:
        """Return the network's input.

        Args:
            pixels: (H, W, 3) uint8.
            position: of the image in its set; has no effect.

        Returns:
            (3, crop, crop) for 1 crop, (10, 3, crop, crop) for 10; or a raw crop that a device
            scales.
        """
        del position
        if self.on_device and (self.pipeline, self.crops) == (Pipeline.TORCH7, 1):
            return raw_crop(pixels, self.preprocessing)
        return PREPARES[self.pipeline, self.crops](pixels, self.preprocessing)


@dataclass(frozen=True, slots=True)
class Transform:
    """From a picture to the network's input, equal in every bit to what `resnext-validate` feeds.

    It is the `transform` of datasets of torchvision and timm, in reading processes too: it can be
    pickled. A dataset that has converted its pictures before (`ImageFolder`'s own loader calls
    `Image.convert("RGB")`) has other pixels of CMYK files; one that hands over the bytes of the
    files has the same of all.

    Attributes:
        preprocessing: the row that belongs to the weights, as their checkpoint has it.
        pipeline: whose scaling and cropping, "torch7" or "pil".
        crops: 1 for the centre crop; 10 for the ten crops whose logits the original sums.

    Raises:
        PreprocessingError: none is given, or a pipeline or number of crops that there is not.
    """

    preprocessing: Preprocessing
    _: KW_ONLY
    pipeline: Pipeline = Pipeline.TORCH7
    crops: int = 1

    def __post_init__(self) -> None:
        known_preprocessing(self.preprocessing)
        if self.pipeline not in tuple(Pipeline):
            names = " or ".join(Pipeline)
            raise PreprocessingError(f"pipeline {names} expected, found {shown(self.pipeline)}")
        if self.crops not in (1, 10):
            raise PreprocessingError(f"crops 1 or 10 expected, found {shown(self.crops)}")
        object.__setattr__(self, "pipeline", Pipeline(self.pipeline))

    def __call__(self, picture: "Pictured") -> "torch.Tensor":
        """Return the network's input.

        Args:
            picture: the bytes of an image file; an array (H, W, 3) uint8 of red, green and blue; or
                an image of Pillow, whose EXIF orientation is ignored as that of a file is.

        Returns:
            (3, crop, crop) float32 for 1 crop, (10, 3, crop, crop) for 10; contiguous.

        Raises:
            ImageError: none of these, an array of another shape or type, or a picture that cannot
                be decoded or is smaller than the crop and not scaled.
        """
        import torch

        prepare = PREPARES[self.pipeline, self.crops]
        prepared = prepare(pixels_of(picture), self.preprocessing)
        return torch.from_numpy(np.ascontiguousarray(prepared))
