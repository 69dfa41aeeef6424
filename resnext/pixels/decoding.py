"""Decode image files to the pixels that the original's loader (Torch7's `image`) returned."""

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
from resnext.pixels.jpeg_scans import JPEG_START, MAX_PIXELS, check_scans

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"

# The formats that Pillow may try; a closed list, because some of its formats start other programs.
# Torch7 read JPEG, PNG and PPM only: the others have no reference to be equal to, and are what
# Pillow converts them to, eight bits of red, green and blue.
FORMATS = ("PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP")

# Brand at byte 8, behind "ftyp", of the container that phones write -> the format.
BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}

# The tag of TIFF with the number of bits of each sample.
TIFF_BITS = 258

# Pillow's modes of more than eight bits a sample, which `convert` would clip or scale.
WIDE_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")

# Bytes of the largest picture whose memory is kept for the next one: 5.6 million pixels.
MOST_KEPT = 16 << 20

# Errors that Pillow's decoders raise for damaged files; its documentation names only the first two.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, zlib.error)


class PictureForm(StrEnum):
    """The kind of pixels that a file stores."""

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
        form: the kind of pixels that the file stores.
        format: of the file, by its content: "JPEG", "PNG", ...
    """

    pixels: "NDArray[np.uint8]"
    form: PictureForm = PictureForm.RGB
    format: str = "JPEG"


class PixelMemory:
    """Memory that JPEG files are decoded into, one after the other.

    Memory of its own for each picture is cold, and partly new to the process, when it is written.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._bytes = np.empty(0, np.uint8)

    def take(self, size: int) -> "NDArray[np.uint8]":
        """Return at least `size` bytes, which were returned before unless they are very many."""
        if size > MOST_KEPT:
            return np.empty(size, np.uint8)
        if size > len(self._bytes):
            self._bytes = np.empty(size, np.uint8)
        return self._bytes


# Pillow's mode -> kind of pixels; modes that are not listed are RGB.
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
    """Return the pixels (H, W, 3) uint8 of an image file; see `decode_picture`."""
    return decode_picture(data).pixels


def decode_picture(data: bytes, memory: PixelMemory | None = None) -> Picture:
    """Decode an image file as the original did; the format is detected by content, never by name.

    One channel is repeated three times. Of four channels the first three are returned as they are
    stored: alpha is dropped, not composited, and CMYK is not converted. Palettes are replaced by
    their colours, gray of 1, 2 or 4 bits is scaled to 0..255, and of an animation the first frame
    is returned. The EXIF orientation is ignored. JPEG is decoded with libjpeg's defaults
    (slow-integer DCT, fancy upsampling), including files with damage that libjpeg only warns of.

    Args:
        data: the whole file.
        memory: may hold the pixels, which are then valid until it is given again; None returns
            pixels of their own.

    Raises:
        ImageError: the file is no image, is damaged or truncated, or has more than `MAX_PIXELS`
            pixels or more than eight bits a sample.
    """
    if not data:
        raise ImageError("an image expected, found an empty file; fetch it again")
    if data.startswith(JPEG_START):
        return _decode_jpeg(data, memory)
    if data.startswith(PNG_START):
        _check_png_header(data)
    return _decode_with_pillow(data, FORMATS)


def picture_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) of an image file from its header; its pixels may still be damaged.

    Raises:
        ImageError: the file is no image.
    """
    from PIL import Image

    try:
        if data.startswith(JPEG_START):
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            return height, width
        with _open_with_pillow(data, FORMATS) as image:
            return image.height, image.width
    except (*BROKEN, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError("an image with a header expected, found none; fetch it again") from error


def check_size(height: int, width: int) -> None:
    """Refuse a picture with too many pixels.

    Raises:
        ImageError: more than `MAX_PIXELS` pixels.
    """
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"at most {MAX_PIXELS} pixels expected, found {width} x {height}; make it smaller"
        )


def _decode_jpeg(data: bytes, memory: PixelMemory | None) -> Picture:
    # simplejpeg in its strict mode fails at the first warning of libjpeg. Its other mode would also
    # return the part of a picture that comes before a fatal error, and truncated files. Pillow,
    # over the same libjpeg, ignores warnings as the original did, and refuses these two.
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        check_size(height, width)
        check_scans(data, height * width)
        raw = "CMYK" if colorspace in ("CMYK", "YCCK") else "RGB"
        buffer = None if memory is None else memory.take(height * width * len(raw))
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace=raw, buffer=buffer)
    except ValueError:
        return _decode_with_pillow(data, ("JPEG",))
    if raw == "CMYK":
        return Picture(pixels=np.ascontiguousarray(pixels[:, :, :3]), form=PictureForm.CMYK)
    return Picture(
        pixels=pixels, form=PictureForm.GRAY if colorspace == "Gray" else PictureForm.RGB
    )


def _check_png_header(data: bytes) -> None:
    # Pillow reduces 16 bits to eight silently, so the number of bits is read here.
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
    from PIL import Image, UnidentifiedImageError  # slow to import, and rarely needed

    try:
        with _open_with_pillow(data, formats) as image:
            check_size(image.height, image.width)
            if image.format == "JPEG":
                check_scans(data, image.height * image.width)
            form = PICTURE_FORMS.get(image.mode, PictureForm.RGB)
            return Picture(pixels=channels(image), form=form, format=str(image.format))
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
    """Open an image with Pillow; its warning of a decompression bomb is raised as an error.

    Otherwise the warning would be printed on stderr, beside the error of `check_size`. Changing the
    warning filters is not safe while other threads do the same, so PNG files, whose size has been
    checked already, are opened without.
    """
    from PIL import Image

    if data.startswith(PNG_START):
        return Image.open(io.BytesIO(data), formats=formats)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=formats)


def channels(image: "Image.Image") -> "NDArray[np.uint8]":
    """Return the pixels (H, W, 3) uint8 of an image of Pillow, by the rules of `decode_picture`.

    A CMYK image that no longer knows its file is taken for that of a JPEG.

    Raises:
        ImageError: more than eight bits a sample.
        One of `BROKEN`: its file is damaged, or Pillow has no way from its mode to RGB.
    """
    if (bits := _bits(image)) > 8:
        kind = f"a {image.format}" if image.format else "an image"
        raise ImageError(
            f"an image of at most 8 bits a sample expected, found {bits} in {kind} of "
            f"mode {image.mode}; convert the file to 8 bits"
        )
    if image.mode == "CMYK" and image.format in ("JPEG", None):
        return 255 - np.asarray(image)[:, :, :3]  # Pillow inverts the values of libjpeg
    # Converted to RGBA, a palette keeps its colours; converted to RGB, Pillow would apply
    # transparency.
    mode = "RGBA" if image.mode in ("P", "PA") else "RGB"
    return np.ascontiguousarray(np.asarray(image.convert(mode))[:, :, :3])


def _bits(image: "Image.Image") -> int:
    """Return the bits of a sample in the file, of which Pillow may show only the upper eight.

    Of an image of Pillow that is in memory already, only its mode is left to tell.
    """
    found = [16 if image.mode in WIDE_MODES else 8]
    if image.format == "TIFF":
        found += getattr(image, "tag_v2", {}).get(TIFF_BITS, ())
    for tile in getattr(image, "tile", ()):
        # The raw mode of PNG ("RGB;16B"), or the largest value of PPM.
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if image.format == "PPM":
            found += [value.bit_length() for value in arguments if isinstance(value, int)]
        elif image.format == "PNG" and str(*arguments[:1]).endswith(";16B"):
            found.append(16)
    return max(found)
