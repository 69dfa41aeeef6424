"""The pipeline of MXNet's and Caffe's tools: OpenCV's scaling; needs the extra [opencv].

Nothing is antialiased: a pixel of the result is interpolated from the 2 x 2 (bilinear) or 4 x 4
(bicubic) pixels around its place, however much a picture shrinks. Sources: MXNet 1.9,
tools/im2rec.py (the shorter side is scaled, the longer one rounded down; `cv2.resize` is bilinear
unless told otherwise) and src/io/image_aug_default.cc (the centre crop, half its margin rounded
down); Caffe 1.0, src/caffe/data_transformer.cpp (the same crop).

Those tools decode with OpenCV, which uses libjpeg with its defaults, as the decoder here does; the
pictures of all pipelines are decoded once. OpenCV 3.1 and later turn a picture by its EXIF
orientation, which no pipeline here does.
"""

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import PreprocessingError
from resnext.pixels.byte_crops import ByteCrops
from resnext.preprocessing import Interpolation


@cache
def opencv() -> Any:
    """Return the module of OpenCV, set to work in the thread that calls it.

    Reading processes are started by fork, which threads of OpenCV's own would not survive. The bits
    do not depend on the number of threads.

    Raises:
        PreprocessingError: it is not installed, or cannot be imported.
    """
    try:
        import cv2
    except ImportError as error:
        raise PreprocessingError(
            f"the opencv pipeline takes OpenCV, which cannot be imported ({error}); "
            "`pip install opencv-python-headless` brings it, as the extra [opencv] does"
        ) from error
    cv2.setNumThreads(1)
    return cv2


def resize_with_opencv(
    pixels: NDArray[np.uint8], size: tuple[int, int], interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Scale a picture (H, W, 3) to (height, width) with OpenCV, not antialiased."""
    cv2 = opencv()
    height, width = size
    method = cv2.INTER_CUBIC if interpolation is Interpolation.BICUBIC else cv2.INTER_LINEAR
    scaled: NDArray[np.uint8] = cv2.resize(pixels, (width, height), interpolation=method)
    return scaled


_CROPS: Final = ByteCrops(resize=resize_with_opencv, centre=lambda margin: margin // 2)
prepare_opencv: Final = _CROPS.single
prepare_ten_opencv: Final = _CROPS.ten
