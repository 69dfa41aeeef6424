"""Bytes of an image file -> pixels, as the original's loader (Torch7's `image`) saw them."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

from resnext.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"

# What Pillow may try; a closed list, because some of its formats start other programs. Torch7 read
# JPEG, PNG and PPM only: for the others, which Pillow converts to eight bits of red, green and
# blue, there is no original to be equal to.
FORMATS = ("PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP")

# Brands of the container that phones write, behind "ftyp" at byte 4 -> the format.
BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}

# A few kilobytes can declare gigabytes. This is Pillow's own default (256 MiB of RGB pixels).
MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3

# Pillow's modes of more than eight bits a sample, which `convert` would clip or scale.
WIDE_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")

# What Pillow's decoders raise over damaged bytes; its documentation names only the first two.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, zlib.error)


class PictureForm(StrEnum):
    """What the pixels of a file are, as it stores them."""

    RGB = "RGB"
    GRAY = "gray"
    CMYK = "CMYK"
    ALPHA = "alpha"
    PALETTE = "palette"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A decoded image file.

    Attributes:
        pixels: (H, W, 3) uint8; red, green, blue, or the first three raw channels.
        form: what the file stores.
        format: by its content: "JPEG", "PNG", ...
    """

    pixels: "NDArray[np.uint8]"
    form: PictureForm = PictureForm.RGB
    format: str = "JPEG"


# Pillow's mode -> what the file stores; RGB is not listed.
PICTURE_FORMS = {
    "1": PictureForm.GRAY,
    "L": PictureForm.GRAY,
    "LA": PictureForm.ALPHA,
    "RGBA": PictureForm.ALPHA,
    "P": PictureForm.PALETTE,
    "PA": PictureForm.PALETTE,
    "CMYK": PictureForm.CMYK,
}


def decode(data: bytes) -> "NDArray[np.uint8]":
    """Return the pixels (H, W, 3) uint8 of an image file: those of `decode_picture`."""
    return decode_picture(data).pixels


def decode_picture(data: bytes) -> Picture:
    """Decode an image file as the original did; its content decides the format, never its name.

    One channel is repeated three times; of four channels the first three are taken as they are
    stored: alpha is dropped, not composited, and CMYK is not converted. A palette becomes colours,
    gray of 1, 2 or 4 bits is spread over 0..255, an animation gives its first frame. An
    orientation in EXIF is ignored. JPEG is decoded with libjpeg's defaults (slow-integer DCT,
    fancy upsampling), and damage that libjpeg only warns of is decoded as libjpeg does.

    Args:
        data: the whole file.

    Raises:
        ImageError: no image, a damaged or truncated one, more than `MAX_PIXELS` pixels, or more
            than eight bits a sample.
    """
    if not data:
        raise ImageError("an image expected, found an empty file; fetch it again")
    if data.startswith(JPEG_START):
        return _decode_jpeg(data)
    if data.startswith(PNG_START):
        _check_png_header(data)
    return _decode_with_pillow(data, FORMATS)


def check_size(height: int, width: int) -> None:
    """Refuse a picture that is too large to be one.

    Raises:
        ImageError: more than `MAX_PIXELS` pixels.
    """
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"at most {MAX_PIXELS} pixels expected, found {width} x {height}; make it smaller"
        )


def _decode_jpeg(data: bytes) -> Picture:
    # simplejpeg is strict here: it stops at the first of libjpeg's warnings. Its other way would
    # also return half a picture after a fatal error, and a truncated one. Pillow, over the same
    # libjpeg, passes over the warnings as the original did, and refuses those two.
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        check_size(height, width)
        raw = "CMYK" if colorspace in ("CMYK", "YCCK") else "RGB"
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace=raw)
    except ValueError:
        return _decode_with_pillow(data, ("JPEG",))
    if raw == "CMYK":
        return Picture(pixels=np.ascontiguousarray(pixels[:, :, :3]), form=PictureForm.CMYK)
    return Picture(
        pixels=pixels, form=PictureForm.GRAY if colorspace == "Gray" else PictureForm.RGB
    )


def _check_png_header(data: bytes) -> None:
    # Pillow reduces 16 bits to eight without a word, so the header is read here.
    header = data[len(PNG_START) : len(PNG_START) + 17]
    if len(header) < 17 or header[4:8] != b"IHDR":
        raise ImageError("a PNG header expected, found something else; fetch the file again")
    width, height, bits = struct.unpack(">IIB", header[8:])
    check_size(height, width)
    if bits == 16:
        raise ImageError(
            "a PNG of at most 8 bits a sample expected, found 16, which the original kept and "
            "bytes cannot hold; convert the file to 8 bits"
        )


def _decode_with_pillow(data: bytes, formats: tuple[str, ...]) -> Picture:
    from PIL import Image, UnidentifiedImageError  # not needed for most image sets

    try:
        with _open_with_pillow(data, formats) as image:
            check_size(image.height, image.width)
            form = PICTURE_FORMS.get(image.mode, PictureForm.RGB)
            return Picture(pixels=_channels(image), form=form, format=str(image.format))
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and (kind := BRANDS.get(data[8:12])):
            raise ImageError(
                f"an image (JPEG, {', '.join(FORMATS)}) expected, found {kind}, whatever its name; "
                "save it as JPEG or PNG"
            ) from error
        raise ImageError(
            f"an image (JPEG, {', '.join(FORMATS)}) expected, found {len(data)} bytes starting "
            f"{data[:8]!r}; the file is something else or damaged"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"at most {MAX_PIXELS} pixels expected; make it smaller") from error
    except BROKEN as error:
        if "truncated" in str(error).lower():
            raise ImageError(
                f"a whole image expected, found one that is truncated after {len(data)} bytes; "
                "fetch it again"
            ) from error
        raise ImageError(
            f"a whole image expected, found a damaged one ({error}); fetch it again"
        ) from error


def _open_with_pillow(data: bytes, formats: tuple[str, ...]) -> "Image.Image":
    """Read the header of an image; what Pillow warns of as a decompression bomb is an error.

    Pillow would print the warning on stderr, beside the error of `check_size`. The size of a PNG
    was checked before, so the filters of warnings, which all threads share, stay as they are.
    """
    from PIL import Image

    if data.startswith(PNG_START):
        return Image.open(io.BytesIO(data), formats=formats)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=formats)


def _channels(image: "Image.Image") -> "NDArray[np.uint8]":
    if image.mode in WIDE_MODES:
        raise ImageError(
            f"an image of at most 8 bits a sample expected, found mode {image.mode}; "
            "convert the file to 8 bits"
        )
    if image.format == "JPEG" and image.mode == "CMYK":
        return 255 - np.asarray(image)[:, :, :3]  # Pillow has inverted what libjpeg gave
    # By way of RGBA a palette keeps its colours; straight to RGB Pillow mixes transparency in.
    mode = "RGBA" if image.mode in ("P", "PA") else "RGB"
    return np.ascontiguousarray(np.asarray(image.convert(mode))[:, :, :3])
