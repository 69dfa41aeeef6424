"""Small pictures of the images of a set, as data URIs."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from resnext.errors import ResnextError
from resnext.images.image_set import PictureSet
from resnext.loader.library_warnings import silenced

if TYPE_CHECKING:
    from PIL.Image import Image

# Pixels of the longer side: twice the size on the page, for screens of high resolution.
SIDE: Final = 160
# Images of this side or less (CIFAR, digits) are kept without loss, as the network saw them.
SMALL: Final = 64
# Of the file of one picture, and the JPEG qualities that are tried until it fits.
MOST_BYTES: Final = 9_000
QUALITIES: Final = (80, 60, 40, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture to show.

    Attributes:
        uri: a data URI that holds the file.
        width, height: in pixels.
    """

    uri: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Tell whether it has so few pixels that it is enlarged without smoothing."""
        return max(self.width, self.height) <= SMALL


def thumbnail(images: PictureSet, position: int) -> Thumbnail | None:
    """Return a small picture of an image, or None where it can no longer be read.

    Args:
        images: the set.
        position: of the image in it.
    """
    from PIL import Image

    try:
        with silenced():  # when it was measured
            picture = images.decode(images.reader.read(position))
    except ResnextError:
        return None
    image = Image.fromarray(picture.pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kind, data = _encoded(image)
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Thumbnail(uri=uri, width=image.width, height=image.height)


def _encoded(image: "Image") -> tuple[str, bytes]:
    """Return the format and the file of a picture, of lower quality where it would be too long."""
    if max(image.size) <= SMALL:
        file = io.BytesIO()
        image.save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            return "png", file.getvalue()
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    return "jpeg", file.getvalue()
