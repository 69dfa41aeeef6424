"""A picture in whatever form a program has it -> its pixels, as the decoder returns them."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from resnext.errors import ImageError
from resnext.pixels.decoding import BROKEN, channels, check_size, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pictured = bytes | bytearray | memoryview | NDArray[Any] | Image

EXPECTED = "the bytes of an image file, an array (H, W, 3) uint8 or an image of Pillow expected"


def pixels_of(picture: "Pictured") -> "NDArray[np.uint8]":
    """Return the pixels (H, W, 3) uint8 of a picture, by the rules of `decode_picture`.

    Args:
        picture: the bytes of a whole image file; or an array (H, W, 3) uint8 of red, green and
            blue, which is returned as it is; or an image of Pillow.

    Raises:
        ImageError: it is something else, an array of another shape or type, or a picture that
            `decode_picture` refuses.
    """
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode(bytes(picture))
    if isinstance(picture, np.ndarray):
        return _checked(picture)
    from PIL.Image import Image

    if isinstance(picture, Image):
        return _pillow_pixels(picture)
    advice = "; read the file with Path(...).read_bytes()"
    raise ImageError(
        f"{EXPECTED}, found {type(picture).__name__}"
        f"{advice if isinstance(picture, str | PurePath) else ''}"
    )


def _checked(array: "NDArray[Any]") -> "NDArray[np.uint8]":
    shape = array.shape
    if array.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3 and 0 not in shape:
        check_size(*shape[:2])
        return array
    if array.dtype != np.uint8:
        advice = "give the pixels as they were decoded, 0 to 255"
    elif len(shape) == 2:
        advice = "repeat the gray channel, as np.stack([gray] * 3, axis=2) does"
    elif len(shape) == 3 and shape[0] == 3:
        advice = "put the channels last, as array.transpose(1, 2, 0) does"
    elif len(shape) == 3 and shape[2] == 4:
        advice = "leave out the fourth channel, as array[:, :, :3] does"
    else:
        advice = "give one picture"
    raise ImageError(
        f"an array (H, W, 3) uint8 expected, found {shape} {array.dtype.name}; {advice}"
    )


def _pillow_pixels(image: "Image") -> "NDArray[np.uint8]":
    check_size(image.height, image.width)
    if 0 in image.size:
        raise ImageError(f"an image with pixels expected, found {image.width} x {image.height}")
    try:
        return channels(image)
    except (*BROKEN, AssertionError) as error:
        reason = str(error) or "its file is closed"  # which Pillow only asserts
        raise ImageError(
            f"an image of Pillow with pixels expected, found one of mode {image.mode} that gives "
            f"none ({reason}); load it before its file is closed, or fetch the file again"
        ) from error
