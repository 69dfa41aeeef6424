"""Crops of pictures that are scaled to bytes and normalised afterwards, as most libraries do it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.decoding import check_size
from resnext.pixels.transforms import check_crop, ten_crops
from resnext.preprocessing import Interpolation, Preprocessing

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteCrops:
    """A library's way to scale and to crop.

    Attributes:
        resize: scales a picture (H, W, 3) uint8, C-contiguous, to (height, width).
        centre: of the margin in pixels, >= 0, to where a centre crop starts.
    """

    resize: Callable[[Bytes, tuple[int, int], Interpolation], Bytes]
    centre: Callable[[int], int]

    def single(self, pixels: Bytes, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """Return the single centre crop.

        Args:
            pixels: (H, W, 3) uint8.
            preprocessing: the row that belongs to the weights.

        Returns:
            (3, crop, crop) float32.

        Raises:
            ImageError: the picture is smaller than the crop and not scaled.
        """
        scaled, crop = self._scaled(pixels, preprocessing), preprocessing.crop
        top, left = (self.centre(side - crop) for side in scaled.shape[:2])
        return normalised(scaled[top : top + crop, left : left + crop], preprocessing)

    def ten(self, pixels: Bytes, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """Return the ten crops (10, 3, crop, crop) float32, in the order of `prepare_ten_pixels`.

        Args:
            pixels: (H, W, 3) uint8.
            preprocessing: the row that belongs to the weights.

        Raises:
            ImageError: as `single`.
        """
        planes = normalised(self._scaled(pixels, preprocessing), preprocessing)
        return ten_crops(planes, preprocessing.crop, self.centre)

    def _scaled(self, pixels: Bytes, preprocessing: Preprocessing) -> Bytes:
        height, width = pixels.shape[:2]
        scale, crop = preprocessing.scale, preprocessing.crop
        if scale is not None and min(height, width) != scale:
            longer = int(scale * max(height, width) / min(height, width))
            height, width = (scale, longer) if height <= width else (longer, scale)
            check_size(height, width)
            source = np.ascontiguousarray(pixels)
            pixels = self.resize(source, (height, width), preprocessing.interpolation)
        check_crop(height, width, crop)
        return pixels


def normalised(pixels: Bytes, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return (3, H, W) float32 of pixels (H, W, 3), as ToTensor (division by 255) and Normalize do.

    Where white is 255, nothing is divided by 255, as in the tools of MXNet and Caffe.
    """
    values = pixels.transpose(2, 0, 1).astype(np.float32, order="C")
    if preprocessing.white == 1:
        values /= np.float32(255)
    mean = np.array(preprocessing.mean, np.float32)[:, None, None]
    std = np.array(preprocessing.std, np.float32)[:, None, None]
    return (values - mean) / std
