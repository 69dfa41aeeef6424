"""Image sets on disk: a folder for each class, as the original read them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resnext.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled image, not yet read.

    Attributes:
        id: "class/file", the same on every system.
        path: where it lies.
        label: index of its class, from 0.
    """

    id: str
    path: Path
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Labelled images in a fixed order.

    Attributes:
        root: the folder that holds the class folders; `val/` of the one that was asked for where
            only that has images.
        classes: their names; the position is the label.
        items: sorted by class, then by file name.
        ignored: entries passed over: hidden ones, other files, folders inside class folders.
    """

    root: Path
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    ignored: int


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
        if not found.items and (root / "val").is_dir():
            found = _scan(root / "val")
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not found.classes:
        raise DataError(
            f"{found.root}: a folder for each class expected, found no folders; "
            "move the images into CLASS/FILE"
        )
    if not found.items:
        raise DataError(
            f"{found.root}: images in class folders expected, found {len(found.classes)} folders "
            f"without any; CLASS/FILE must end in one of {' '.join(sorted(SUFFIXES))}"
        )
    return found


def _scan(root: Path) -> ImageSet:
    entries = list(_entries(root))
    classes = tuple(entry.name for entry in entries if _is_class(entry))
    ignored = len(entries) - len(classes)
    items = []
    for label, name in enumerate(classes):
        folder = root / name
        for entry in _entries(folder):
            if _is_image(entry):
                path = folder / entry.name
                items.append(Item(id=f"{name}/{entry.name}", path=path, label=label))
            else:
                ignored += 1
    return ImageSet(root=root, classes=classes, items=tuple(items), ignored=ignored)


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    # scandir, unlike Path.iterdir, knows files from folders without asking for each.
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_class(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith(".") and entry.is_dir()


def _is_image(entry: "os.DirEntry[str]") -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a million names, no Path
    return not entry.name.startswith(".") and suffix in SUFFIXES and entry.is_file()
