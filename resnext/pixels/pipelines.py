"""The pipelines from decoded pixels to network input: the original's, and the usual one."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.pixels.transforms import RawCrop, prepare_pixels, prepare_ten_pixels, raw_crop
from resnext.preprocessing import Preprocessing


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
