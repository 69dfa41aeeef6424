"""Small pictures of images of a set, as URIs that hold all of their bytes."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from resnext.errors import ResnextError
from resnext.images.image_set import ImageSet

if TYPE_CHECKING:
    from PIL.Image import Image

# Of the longer side, in pixels: twice what they are shown at, for fine screens.
SIDE: Final = 160
# Up to this side nothing is lost: the pictures of CIFAR and of digits are what the network saw.
SMALL: Final = 64
MOST_BYTES: Final = 9_000
QUALITIES: Final = (80, 60, 40, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture to show.

    Attributes:
        uri: `data:` with the file in it.
        width, height: in pixels.
    """

    uri: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Tell whether it has so few pixels that each should be seen."""
        return max(self.width, self.height) <= SMALL


def thumbnail(images: ImageSet, position: int) -> Thumbnail | None:
    """Return a small picture of an image, or None where it cannot be read any more.

    Args:
        images: the set.
        position: of the image in it.
    """
    from PIL import Image

    try:
        picture = images.decode(images.reader.read(position))
    except ResnextError:
        return None
    image = Image.fromarray(picture.pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kind, data = _encoded(image)
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Thumbnail(uri=uri, width=image.width, height=image.height)


def _encoded(image: "Image") -> tuple[str, bytes]:
    """Return the format and the bytes of a picture, coarser where it would take too many."""
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
