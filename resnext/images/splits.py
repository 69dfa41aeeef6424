"""The split of a data set: the folder or files that hold it, the same on disk and in a tar."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final, Protocol

from resnext.errors import DataError
from resnext.images.names import few

# The folders beside each other in a folder of a whole data set; "test" has no labels.
SPLITS: Final = ("train", "val")
# What they are called, in the order in which they are taken.
SPLIT_FOLDERS: Final = {"train": ("train",), "val": ("val", "validation", "valid")}
OF_SPLITS: Final = tuple(name for names in SPLIT_FOLDERS.values() for name in names)
NO_CLASSES: Final = (*OF_SPLITS, "test")

# Words in the names of files -> the split that they hold.
SPLIT_WORDS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}

# The folders that lead to a file or folder.
Place = tuple[str, ...]


class Folders(Protocol):
    """Folders in each other, somewhere.

    `children` returns the names of the folders in a folder that are not hidden, in their order;
    `has_images` tells whether images lie directly in it, `holds_images` whether any do there or
    below; `named` returns what a person calls it.
    """

    def children(self, place: Place) -> list[str]: ...
    def has_images(self, place: Place) -> bool: ...
    def holds_images(self, place: Place) -> bool: ...
    def named(self, place: Place) -> str: ...


def find_root(folders: Folders, split: str, *, flat: bool) -> Place:
    """Return the folder that holds the class folders, or the images themselves.

    Where there are folders of splits, that of the split is taken. A class may be called "val":
    these are splits where no other folder beside them holds images directly. A folder in which
    nothing has images but one other is passed through.

    Args:
        folders: of which () is what was asked for.
        split: "val" or "train".
        flat: whether images are wanted that lie in no class folders.

    Raises:
        DataError: there are splits, but not this one.
    """
    place: Place = ()
    chosen = False
    while not (flat and folders.has_images(place)):
        names = folders.children(place)
        there = [name for name in names if name in OF_SPLITS]
        others = [name for name in names if name not in NO_CLASSES]
        if there and not chosen and not _any_has_images(folders, place, others):
            own = next((name for name in SPLIT_FOLDERS[split] if name in there), None)
            if own is None:
                raise DataError(
                    f"{folders.named(place)}: a folder {split!r} expected beside {few(there)}, "
                    "found none"
                )
            place, chosen = (*place, own), True
            continue
        if folders.has_images(place) or (not flat and _any_has_images(folders, place, names)):
            break
        filled = [name for name in names if folders.holds_images((*place, name))]
        if len(filled) != 1:
            break
        place = (*place, *filled)
    return place


def _any_has_images(folders: Folders, place: Place, names: list[str]) -> bool:
    return any(folders.has_images((*place, name)) for name in names)


def of_split(paths: Sequence[Path], split: str, root: str) -> list[Path]:
    """Return the files of a split; all of them where no name says what it holds.

    Raises:
        DataError: the names say that they hold other splits.
    """
    held = [_split_of(path.name) for path in paths]
    if not any(held):
        return list(paths)
    chosen = [path for path, name in zip(paths, held, strict=True) if name == split]
    if not chosen:
        others = sorted({name or "no split" for name in held})
        raise DataError(
            f"{root}: files of the split {split!r} expected, found those of {few(others)}; name "
            "the files that are meant, by a pattern say"
        )
    return chosen


def _split_of(name: str) -> str | None:
    words = re.split(r"[^a-z]+", PurePath(name).name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
