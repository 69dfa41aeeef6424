"""The usual PyTorch pipeline, for comparison: torchvision's Resize and CenterCrop with Pillow.

Source: torchvision 0.28, transforms/functional.py and transforms/_functional_pil.py, with the
defaults of `Resize` (bilinear, antialiased). Pictures are decoded once for all pipelines, so a CMYK
picture has its first three raw channels here, where `Image.convert` would compute RGB.
"""

import numpy as np
from numpy.typing import NDArray

from resnext.errors import ImageError
from resnext.pixels.decoding import check_size
from resnext.preprocessing import Preprocessing


def prepare_pil(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return the single centre crop that torchvision's classification presets return.

    Args:
        pixels: (H, W, 3) uint8.
        preprocessing: the row that belongs to the weights.

    Returns:
        (3, crop, crop) float32.

    Raises:
        ImageError: the picture is smaller than the crop and not scaled.
    """
    resized = _resize(pixels, preprocessing)
    top, left = (_centre(side, preprocessing.crop) for side in resized.shape[:2])
    return _normalise(_crop(resized, top, left, preprocessing.crop), preprocessing)


def prepare_ten_pil(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return the ten crops (10, 3, crop, crop) float32, in the order of `prepare_ten_pixels`."""
    resized, crop = _resize(pixels, preprocessing), preprocessing.crop
    height, width = resized.shape[:2]
    bottom, right = height - crop, width - crop
    places = [(_centre(height, crop), _centre(width, crop))]
    places += [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    return np.stack(
        [
            _normalise(_crop(picture, top, left, crop), preprocessing)
            for picture in (resized, resized[:, ::-1])
            for top, left in places
        ]
    )


def _resize(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    from PIL import Image  # the usual run does not need it

    height, width = pixels.shape[:2]
    scale, crop = preprocessing.scale, preprocessing.crop
    if scale is not None and min(height, width) != scale:
        longer = int(scale * max(height, width) / min(height, width))
        height, width = (scale, longer) if height <= width else (longer, scale)
        check_size(height, width)
        picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture)
    if min(height, width) < crop:
        raise ImageError(
            f"at least {crop} x {crop} pixels expected, found {width} x {height}; scale them "
            "(--scale), or give larger images"
        )
    return pixels


def _centre(side: int, crop: int) -> int:
    """Return where a centre crop starts, rounded half to even."""
    return round((side - crop) / 2)


def _crop(pixels: NDArray[np.uint8], top: int, left: int, crop: int) -> NDArray[np.uint8]:
    return pixels[top : top + crop, left : left + crop]


def _normalise(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return (3, H, W) float32, as ToTensor (division by 255) and Normalize do."""
    values = pixels.transpose(2, 0, 1).astype(np.float32)
    if preprocessing.white == 1:
        values /= np.float32(255)
    mean = np.array(preprocessing.mean, np.float32)[:, None, None]
    std = np.array(preprocessing.std, np.float32)[:, None, None]
    return (values - mean) / std
