"""The pipelines from decoded pixels to network input: the original's, and those of other tools."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import ImageError, PreprocessingError
from resnext.pixels.decoding import decode
from resnext.pixels.opencv import opencv, prepare_opencv, prepare_ten_opencv
from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.pixels.transforms import RawCrop, prepare_pixels, prepare_ten_pixels, raw_crop
from resnext.preprocessing import Pipeline, Preprocessing

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
    row = _known(preprocessing)
    return PREPARES[row.pipeline, 1](decode(_checked(data)), row)


def prepare_ten(data: bytes, preprocessing: Preprocessing | None) -> NDArray[np.float32]:
    """Return the ten crops (10, 3, crop, crop) of an image file; see `prepare_ten_pixels`."""
    row = _known(preprocessing)
    return PREPARES[row.pipeline, 10](decode(_checked(data)), row)


def _known(preprocessing: object) -> Preprocessing:
    if preprocessing is None:
        raise PreprocessingError(
            "no preprocessing is known for these weights; give a resnext.Preprocessing, or store "
            "one with resnext-convert --preprocessing"
        )
    if not isinstance(preprocessing, Preprocessing):
        raise PreprocessingError(
            f"a resnext.Preprocessing expected, found {type(preprocessing).__name__}; give the "
            "checkpoint's own"
        )
    return preprocessing


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
