"""Small pictures of the images of a set."""

from resnext.errors import ResnextError
from resnext.images.image_set import PictureSet
from resnext.loader.library_warnings import silenced
from resnext.pages.thumbnails import Thumbnail, thumbnail_of


def thumbnail(images: PictureSet, position: int) -> Thumbnail | None:
    """Return a small picture of an image, or None where it can no longer be read.

    Args:
        images: the set.
        position: of the image in it.
    """
    try:
        with silenced():  # when it was measured
            picture = images.decode(images.reader.read(position))
    except ResnextError:
        return None
    return thumbnail_of(picture.pixels)
