"""The pipelines from decoded pixels to network input: the original's, and those of other tools."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import ImageError, PreprocessingError
from resnext.fields import shown
from resnext.pixels.decoding import decode
from resnext.pixels.opencv import opencv, prepare_opencv, prepare_ten_opencv
from resnext.pixels.pictures import pixels_of
from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.pixels.transforms import RawCrop, prepare_pixels, prepare_ten_pixels, raw_crop
from resnext.preprocessing import Pipeline, Preprocessing, known_preprocessing, pipeline_of

if TYPE_CHECKING:
    import torch

    from resnext.pixels.pictures import Pictured

PREPARES: Final = {
    (Pipeline.TORCH7, 1): prepare_pixels,
    (Pipeline.TORCH7, 10): prepare_ten_pixels,
    (Pipeline.PIL, 1): prepare_pil,
    (Pipeline.PIL, 10): prepare_ten_pil,
    (Pipeline.OPENCV, 1): prepare_opencv,
    (Pipeline.OPENCV, 10): prepare_ten_opencv,
}


def check_installed(preprocessing: Preprocessing) -> None:
    """Check that what a pipeline needs is installed.

    Raises:
        PreprocessingError: OpenCV is needed and cannot be imported.
    """
    if preprocessing.pipeline is Pipeline.OPENCV:
        opencv()


def prepare(data: bytes, preprocessing: Preprocessing | None) -> NDArray[np.float32]:
    """Return the network input of an image file: its single centre crop.

    Args:
        data: the whole file.
        preprocessing: the row that belongs to the weights, as their checkpoint has it.

    Returns:
        (3, crop, crop) float32, C-contiguous.

    Raises:
        ImageError: the file is no image, or one smaller than the crop that is not scaled.
        PreprocessingError: none is given, or its pipeline needs what is not installed.
    """
    row = known_preprocessing(preprocessing)
    return PREPARES[row.pipeline, 1](decode(_checked(data)), row)


def prepare_ten(data: bytes, preprocessing: Preprocessing | None) -> NDArray[np.float32]:
    """Return the ten crops (10, 3, crop, crop) of an image file; see `prepare_ten_pixels`."""
    row = known_preprocessing(preprocessing)
    return PREPARES[row.pipeline, 10](decode(_checked(data)), row)


def _checked(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray):
        raise ImageError(
            f"the bytes of an image file expected, found {type(data).__name__}; read the file "
            "with Path(...).read_bytes()"
        )
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Preparation:
    """A way from pixels (H, W, 3) uint8 to network input float32.

    Equal preparations return equal bits, so networks that have equal ones share their inputs.

    Attributes:
        preprocessing: the row that belongs to the weights, with the pipeline that scales and crops.
        crops: 1 or 10.
        on_device: whether a device scales the picture later, which it can for the original's single
            crop only.

    Raises:
        PreprocessingError: the pipeline needs what is not installed.
    """

    preprocessing: Preprocessing
    crops: int = 1
    on_device: bool = False

    def __post_init__(self) -> None:
        check_installed(self.preprocessing)

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
        way = (self.preprocessing.pipeline, self.crops)
        if self.on_device and way == (Pipeline.TORCH7, 1):
            return raw_crop(pixels, self.preprocessing)
        return PREPARES[way](pixels, self.preprocessing)


@dataclass(frozen=True, slots=True)
class Transform:
    """From a picture to the network's input, equal in every bit to what `resnext-validate` feeds.

    It is the `transform` of datasets of torchvision and timm, in reading processes too: it can be
    pickled. A dataset that has converted its pictures before (`ImageFolder`'s own loader calls
    `Image.convert("RGB")`) has other pixels of CMYK files; one that hands over the bytes of the
    files has the same of all.

    Attributes:
        preprocessing: the row that belongs to the weights, as their checkpoint has it.
        pipeline: whose scaling and cropping, for comparison; None stands for the row's own.
        crops: 1 for the centre crop; 10 for the ten crops whose logits the original sums.

    Raises:
        PreprocessingError: none is given, a pipeline or number of crops that there is not, or the
            pipeline needs what is not installed.
    """

    preprocessing: Preprocessing
    _: KW_ONLY
    pipeline: Pipeline | None = None
    crops: int = 1

    def __post_init__(self) -> None:
        row = known_preprocessing(self.preprocessing)
        if self.crops not in (1, 10):
            raise PreprocessingError(f"crops 1 or 10 expected, found {shown(self.crops)}")
        pipeline = row.pipeline if self.pipeline is None else pipeline_of(self.pipeline)
        object.__setattr__(self, "pipeline", pipeline)
        object.__setattr__(self, "preprocessing", row.with_pipeline(pipeline))
        check_installed(self.preprocessing)

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

        prepare = PREPARES[self.preprocessing.pipeline, self.crops]
        prepared = prepare(pixels_of(picture), self.preprocessing)
        return torch.from_numpy(np.ascontiguousarray(prepared))
