"""The usual PyTorch pipeline: torchvision's Resize and CenterCrop with Pillow.

Source: torchvision 0.28, transforms/functional.py and transforms/_functional_pil.py, with the
defaults of `Resize` (bilinear, antialiased); timm's evaluation is the same, mostly with bicubic
(timm 1.0, data/transforms_factory.py). Pictures are decoded once for all pipelines, so a CMYK
picture has its first three raw channels here, where `Image.convert` would compute RGB.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.byte_crops import ByteCrops
from resnext.preprocessing import Interpolation


def resize_with_pil(
    pixels: NDArray[np.uint8], size: tuple[int, int], interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Scale a picture (H, W, 3) to (height, width) with Pillow, antialiased."""
    from PIL import Image  # slow to import

    height, width = size
    method = Image.Resampling[interpolation.name]
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


def _centre(margin: int) -> int:
    """Return where a centre crop starts, rounded half to even."""
    return round(margin / 2)


_CROPS: Final = ByteCrops(resize=resize_with_pil, centre=_centre)
prepare_pil: Final = _CROPS.single
prepare_ten_pil: Final = _CROPS.ten
