"""What is common to all places where labelled images lie: which names count, what is said."""

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

# Pictures that nothing here decodes, or that the original did not look for.
OTHER_FORMATS: Final = {
    ".heic": "HEIC",
    ".heif": "HEIF",
    ".avif": "AVIF",
    ".jfif": "JFIF",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Images in class folders, on disk or in an archive.

    Attributes:
        root: where they lie.
        classes: in their order.
        names: of the images, "CLASS/FILE", in their order.
        labels: of each, an index into `classes`.
        ignored: names of what is hidden, no image, or an image that lies elsewhere.
    """

    root: str
    classes: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def images(self, names: Names, reader: ImageReader) -> ImageSet:
        """Return the set, once it is known where the bytes of its images lie.

        Args:
            names: those of the listing.
            reader: in their order.

        Raises:
            DataError: there are no class folders, or no images in them.
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
            notes=(*ignored_note(self.root, self.ignored), *self._empty_note()),
        )

    def _empty_note(self) -> Iterator[str]:
        filled = set(self.labels)
        empty = [name for label, name in enumerate(self.classes) if label not in filled]
        if empty:
            yield (
                f"{self.root}: {len(empty)} of {len(self.classes)} classes without images, which "
                f"keep their labels: {few(empty)}"
            )


def ignored_note(root: str, names: Sequence[str]) -> Iterator[str]:
    """Say what was ignored, if anything was: pictures apart, which somebody may miss."""
    elsewhere, unknown, others = [], [], []
    for name in names:
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
    if others:
        yield f"{root}: {len(others)} ignored, hidden or no images: {few(others)}"


def _is_shown(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _format(name: str) -> str:
    return PurePath(name).suffix.lower()


def is_image(name: str) -> bool:
    """Tell whether the name of a file is that of an image that is not hidden.

    What the file holds is seen when it is decoded. "._x.jpg" is what macOS leaves beside x.jpg.
    """
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


@contextmanager
def reading(path: Path | None = None) -> Iterator[None]:
    """Turn what the system says of a file into a `DataError` that names it.

    Args:
        path: its name, where the system may not know it.
    """
    try:
        yield
    except OSError as error:
        name = error.filename or path
        where = f"{name}: " if name else ""
        raise DataError(f"{where}cannot be read: {error.strerror or error}") from error
