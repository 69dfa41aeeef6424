"""Small pictures for a page, of the pixels that were decoded."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

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
        data: the file, about `MOST_BYTES` at most.
        kind: of the file, "jpeg" or "png".
        width, height: in pixels.
    """

    data: bytes
    kind: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """Return a data URI that holds the file."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode()}"

    @property
    def small(self) -> bool:
        """Tell whether it has so few pixels that it is enlarged without smoothing."""
        return max(self.width, self.height) <= SMALL


def thumbnail_of(pixels: NDArray[np.uint8]) -> Thumbnail:
    """Return a small picture of decoded pixels.

    Args:
        pixels: (H, W, 3) uint8, H and W at least 1.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kind, data = _encoded(image)
    return Thumbnail(data=data, kind=kind, width=image.width, height=image.height)


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
