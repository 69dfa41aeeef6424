"""Images that are files in a folder: in class folders, or in a flat folder with labels."""

import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels
from resnext.images.listing import (
    LARGEST,
    Listing,
    check_stored,
    ignored_note,
    is_image,
    reading,
)
from resnext.images.names import Names, brief
from resnext.images.sources.walk import (
    is_folder,
    is_image_file,
    is_shown_folder,
    is_unnamed_picture,
    sorted_entries,
)
from resnext.images.splits import Place, find_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Images that are files.

    Attributes:
        root: folder of the files.
        names: paths of the files relative to it.
    """

    root: str
    names: Sequence[str]

    def read(self, position: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            DataError: it cannot be read, or is larger than any picture.
        """
        path = os.path.join(self.root, self.names[position])  # noqa: PTH118 - a million names
        with reading(), open(path, "rb") as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            check_stored(size, brief(path))
            # With room for exactly that: memory for the most that is allowed takes 0.1 ms to get.
            return file.read(size or LARGEST)  # 0 of what is no file on a disk

    def stamp(self) -> str:
        """Return a checksum of the file sizes, which change if images are scaled or re-encoded.

        Raises:
            DataError: a folder cannot be read.
        """
        with reading():
            paths = (os.path.join(self.root, name) for name in self.names)  # noqa: PTH118
            sizes = [_size(path) for path in paths]
        return hashlib.sha256(np.array(sizes, "<i8").data).hexdigest()


def folder_images(root: Path, labels: Labels | None, *, split: str = "val") -> ImageSet:
    """Return the images in class folders, or those in a flat folder if labels are given."""
    if labels is None:
        return class_folders(root, split=split)
    return flat_folder(root, labels, split=split)


def class_folders(root: Path, *, split: str = "val") -> ImageSet:
    """Return the images in class folders.

    Labels follow the order of the folders' names as bytes, as in the original, and do not depend on
    the locale: "10" comes before "2", and "Z" before "a". A class folder without images keeps its
    label.

    Args:
        root: the folder of the class folders, or one above it; see `find_root`.
        split: "val" or "train", used if there are folders of splits.

    Raises:
        DataError: there is no such folder, it cannot be read, or has no images.
    """
    with reading():
        found = _scan(_found(root, split, flat=False))
    names = Names(found.names)
    return found.images(names, Files(root=found.root, names=names))


def flat_folder(root: Path, labels: Labels, *, split: str = "val") -> ImageSet:
    """Return the images that lie directly in a folder.

    Args:
        root: the folder of the images, or one above it; see `find_root`.
        labels: by the names of the files.
        split: "val" or "train", used if there are folders of splits.

    Raises:
        DataError: there are no images, or images without a label.
    """
    with reading():
        root = _found(root, split, flat=True)
        entries = list(sorted_entries(root))
        names = Names(entry.name for entry in entries if is_image_file(entry))
    if not len(names):
        raise DataError(
            f"{root}: images directly in the folder expected, as {labels.source} labels them, "
            "found none; folders for classes are labels of their own, and take no --labels"
        )
    numbers, notes = labels.assign(names, str(root))
    others = [entry for entry in entries if not is_image_file(entry)]
    return ImageSet(
        root=str(root),
        ids=names,
        labels=numbers,
        classes=labels.classes,
        reader=Files(root=str(root), names=names),
        notes=(
            *ignored_note(
                str(root),
                [entry.name for entry in others],
                unnamed=[entry.name for entry in others if is_unnamed_picture(entry)],
            ),
            *notes,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """The folders below a folder on disk."""

    root: Path

    def children(self, place: Place) -> list[str]:
        return [
            entry.name
            for entry in sorted_entries(self.root.joinpath(*place))
            if is_shown_folder(entry)
        ]

    def has_images(self, place: Place) -> bool:
        with os.scandir(self.root.joinpath(*place)) as entries:
            return any(is_image_file(entry) for entry in entries)

    def holds_images(self, place: Place) -> bool:
        pending, seen = [place], set[str]()
        while pending:
            each = pending.pop()
            path = os.path.realpath(self.root.joinpath(*each))
            if path in seen:  # links may form a cycle
                continue
            seen.add(path)
            if self.has_images(each):
                return True
            pending += [(*each, name) for name in self.children(each)]
        return False

    def named(self, place: Place) -> str:
        return str(self.root.joinpath(*place))


def _found(root: Path, split: str, *, flat: bool) -> Path:
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing there"
        raise DataError(f"{root}: a folder of class folders expected, found {found}")
    return root.joinpath(*find_root(_Tree(root), split, flat=flat))


def _scan(root: Path) -> Listing:
    entries = list(sorted_entries(root))
    found = Listing(
        root=str(root),
        classes=tuple(entry.name for entry in entries if is_shown_folder(entry)),
        ignored=[entry.name for entry in entries if not is_shown_folder(entry)],
    )
    for label, name in enumerate(found.classes):
        for entry in sorted_entries(root / name):
            if is_image_file(entry):
                found.names.append(f"{name}/{entry.name}")
                found.labels.append(label)
            else:
                found.ignored.extend(_below(root, f"{name}/{entry.name}", entry))
                if is_unnamed_picture(entry):
                    found.unnamed.append(f"{name}/{entry.name}")
    return found


def _below(root: Path, name: str, entry: "os.DirEntry[str]") -> list[str]:
    """Return the images in a folder inside a class folder, which are not read, or else its name."""
    found: list[str] = []
    if is_image(entry.name) and not is_folder(entry):
        return [f"{name} (no file)"]
    if is_shown_folder(entry):
        for folder, names, files in os.walk(root / name):
            names[:] = sorted(each for each in names if not each.startswith("."))
            inner = Path(folder).relative_to(root).as_posix()
            found += [f"{inner}/{file}" for file in sorted(files) if is_image(file)]
    return found or [name]


def _size(path: str) -> int:
    """Return the size of a file in bytes; -1 if it does not exist, which fails when it is read."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        return -1
