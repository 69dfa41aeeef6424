"""Which files are images, image sets of class folders, and notes on what is not read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

import numpy as np

from resnext.errors import DataError, UnlabelledError
from resnext.images.image_set import ImageReader, ImageSet
from resnext.images.names import Names, few
from resnext.terminal.text import number

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")

# Formats of pictures that are not read here, by suffix.
OTHER_FORMATS: Final = {
    ".heic": "HEIC",
    ".heif": "HEIF",
    ".avif": "AVIF",
    ".jfif": "JFIF",
    ".jfi": "JFIF",
    ".jif": "JFIF",
    ".jpe": "JPE",
    ".pjpeg": "PJPEG",
    ".pjp": "PJPEG",
    ".mpo": "MPO",
    ".apng": "APNG",
    ".dib": "DIB",
    ".jxl": "JPEG XL",
    ".jp2": "JPEG 2000",
    ".pgm": "PGM",
    ".psd": "Photoshop",
    ".svg": "SVG",
    ".dng": "camera raw",
    ".cr2": "camera raw",
    ".nef": "camera raw",
    ".arw": "camera raw",
}


# Bytes of a picture as it is stored: the largest that can be decoded takes 360 MB uncompressed.
LARGEST: Final = 1 << 30

# First bytes of pictures, of which so many are read: JPEG, PNG, GIF, TIFF.
PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
START: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The images found in class folders, on disk or in an archive.

    Attributes:
        root: the folder of the class folders.
        classes: names of the class folders, in the order of the labels.
        names: of the images, "CLASS/FILE", in order.
        labels: of the images, each an index into `classes`.
        ignored: names of entries that are hidden, no images, or images in other places.
        unnamed: those of them that are pictures, and whose names have no suffix.
    """

    root: str
    classes: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    def images(self, names: Names, reader: ImageReader) -> ImageSet:
        """Return the image set of the listing.

        Args:
            names: of the listing, in compact form.
            reader: of the images, in the order of the names.

        Raises:
            UnlabelledError: there are no class folders, or images beside them only.
            DataError: there are no images in the class folders.
        """
        if not self.names:
            elsewhere = [name for name in self.ignored if _is_shown(name) and is_image(name)]
            loose = any("/" not in name for name in elsewhere)
            if loose or not self.classes:
                raise UnlabelledError(
                    f"{self.root}: a folder for each class expected, found "
                    f"{'images outside of folders' if loose else 'no folders'}",
                    "move the images into CLASS/FILE",
                )
            deep = f", and {len(elsewhere)} deeper ({few(elsewhere)})" if elsewhere else ""
            raise DataError(
                f"{self.root}: images in class folders expected, found none in "
                f"{few(self.classes)}{deep}; CLASS/FILE must end in one of {' '.join(SUFFIXES)}"
            )
        return ImageSet(
            root=self.root,
            ids=names,
            labels=np.array(self.labels, np.int64),
            classes=self.classes,
            reader=reader,
            notes=(
                *ignored_note(self.root, self.ignored, unnamed=self.unnamed),
                *self._empty_note(),
            ),
        )

    def _empty_note(self) -> Iterator[str]:
        filled = set(self.labels)
        empty = [name for label, name in enumerate(self.classes) if label not in filled]
        if empty:
            yield (
                f"{self.root}: {len(empty)} of {len(self.classes)} classes without images, which "
                f"keep their labels: {few(empty)}"
            )


def ignored_note(root: str, names: Sequence[str], *, unnamed: Sequence[str] = ()) -> Iterator[str]:
    """Yield notes on what was not read: pictures in other places or formats, and the rest.

    Args:
        root: the folder or file.
        names: of all that was not read.
        unnamed: those of them that are pictures, and whose names have no suffix.
    """
    elsewhere, unknown, others = [], [], []
    bare = set(unnamed)
    for name in names:
        if name in bare:
            continue
        if _is_shown(name) and is_image(name):
            elsewhere.append(name)
        elif _is_shown(name) and _format(name) in OTHER_FORMATS:
            unknown.append(name)
        else:
            others.append(name)
    if elsewhere:
        yield (
            f"{root}: {number(len(elsewhere), 'picture')} not read, lying deeper or higher than "
            f"the others: {few(elsewhere)}; move them beside those"
        )
    if unknown:
        counts = Counter(OTHER_FORMATS[_format(name)] for name in unknown)
        yield (
            f"{root}: {number(len(unknown), 'picture')} not read, of formats not taken here "
            f"({', '.join(f'{count} {kind}' for kind, count in counts.items())}): "
            f"{few(unknown)}; save them as JPEG or PNG"
        )
    if bare:
        yield (
            f"{root}: {number(len(bare), 'picture')} not read, whose names have no suffix: "
            f"{few(unnamed)}; add .jpg or what they are"
        )
    if others:
        yield f"{root}: {len(others)} ignored, hidden or no images: {few(others)}"


def check_stored(size: int, where: str) -> None:
    """Refuse a picture of more bytes than any that can be decoded has.

    Raises:
        DataError: names where it lies.
    """
    if size > LARGEST:
        raise DataError(f"{where}: a picture of at most {LARGEST} bytes expected, found {size}")


def has_suffix(name: str) -> bool:
    """Tell whether the name of a file has a suffix, or is hidden."""
    return "." in name


def is_picture(start: bytes) -> bool:
    """Tell whether a file that starts so is a picture of a usual format."""
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    return start.startswith(PICTURES)


def _is_shown(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _format(name: str) -> str:
    return PurePath(name).suffix.lower()


def is_image(name: str) -> bool:
    """Tell whether a file is an image by its suffix, and not hidden.

    Its content is not looked at before it is decoded. macOS leaves hidden files "._x.jpg" beside
    x.jpg.
    """
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


@contextmanager
def reading(path: Path | None = None) -> Iterator[None]:
    """Raise an `OSError` in the block as a `DataError` that names the file.

    Args:
        path: of the file, for errors of the system that do not name it.
    """
    try:
        yield
    except OSError as error:
        name = error.filename or path
        where = f"{name}: " if name else ""
        raise DataError(f"{where}cannot be read: {error.strerror or error}") from error
