"""Images on disk in a folder for each class, as the original read them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnext.data.image_set import ImageSet
from resnext.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Images that are files of their own.

    Attributes:
        root: the folder that their names start from.
        names: relative to it.
        sizes: in bytes, as they were when they were listed.
    """

    root: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def read(self, position: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            DataError: it cannot be read.
        """
        path = os.path.join(self.root, self.names[position])  # noqa: PTH118 - a million names
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                return file.read()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error

    def stamp(self) -> str:
        """Return the sizes: pictures that were scaled or encoded anew have others."""
        return ",".join(map(str, self.sizes))


def class_folders(root: Path) -> ImageSet:
    """List the images below a folder of class folders.

    Labels follow the order of the names as strings of bytes, as in the original, whatever the
    locale: "10" stands before "2", and "Z" before "a". A class folder without images keeps its
    label. Only `SUFFIXES` counts as an image; what a file holds is seen when it is decoded.

    Args:
        root: holds the class folders, or a `val/` that does (the root of ImageNet).

    Raises:
        DataError: no such folder, one that cannot be read, or one without images.
    """
    try:
        if not root.exists():
            raise DataError(f"{root}: a folder of class folders expected, found nothing there")
        if not root.is_dir():
            raise DataError(f"{root}: a folder of class folders expected, found a file")
        found = _scan(root)
        if not len(found) and (root / "val").is_dir():
            found = _scan(root / "val")
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not found.classes:
        raise DataError(
            f"{found.root}: a folder for each class expected, found no folders; "
            "move the images into CLASS/FILE"
        )
    if not len(found):
        raise DataError(
            f"{found.root}: images in class folders expected, found {len(found.classes)} folders "
            f"without any; CLASS/FILE must end in one of {' '.join(sorted(SUFFIXES))}"
        )
    return found


def _scan(root: Path) -> ImageSet:
    entries = list(_entries(root))
    classes = tuple(entry.name for entry in entries if _is_class(entry))
    ignored = len(entries) - len(classes)
    names: list[str] = []
    labels: list[int] = []
    sizes: list[int] = []
    for label, name in enumerate(classes):
        for entry in _entries(root / name):
            if _is_image(entry):
                names.append(f"{name}/{entry.name}")
                labels.append(label)
                sizes.append(entry.stat().st_size)
            else:
                ignored += 1
    return ImageSet(
        root=str(root),
        ids=tuple(names),
        labels=np.array(labels, np.int64),
        classes=classes,
        reader=Files(root=str(root), names=tuple(names), sizes=tuple(sizes)),
        notes=_notes(root, classes, labels, ignored),
    )


def _notes(
    root: Path, classes: tuple[str, ...], labels: list[int], ignored: int
) -> tuple[str, ...]:
    notes = [f"{root}: {ignored} entries ignored, hidden or no images"] if ignored else []
    filled = set(labels)
    if empty := [name for label, name in enumerate(classes) if label not in filled]:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        notes.append(f"{root}: class {empty[0]!r}{more} has no images, and keeps its label")
    return tuple(notes)


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    # scandir, unlike Path.iterdir, knows files from folders without asking for each.
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_class(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith(".") and entry.is_dir()


def _is_image(entry: "os.DirEntry[str]") -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a million names, no Path
    return not entry.name.startswith(".") and suffix in SUFFIXES and entry.is_file()
