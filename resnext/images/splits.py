"""Find the split of a data set, train or val, among folders (on disk or in a tar) or files."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final, Protocol

from resnext.errors import DataError
from resnext.images.names import few

# The splits with labels; "test" has none.
SPLITS: Final = ("train", "val")
# Names of their folders, in order of preference.
SPLIT_FOLDERS: Final = {"train": ("train",), "val": ("val", "validation", "valid")}
OF_SPLITS: Final = tuple(name for names in SPLIT_FOLDERS.values() for name in names)
NO_CLASSES: Final = (*OF_SPLITS, "test")

# Word in the name of a file -> the split that the file holds.
SPLIT_WORDS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}

# The path of a folder inside a tree of folders, as the names on the way to it.
Place = tuple[str, ...]


class Folders(Protocol):
    """A tree of folders, on disk or in a tar.

    `children` returns the sorted names of the folders in a folder that are not hidden; `has_images`
    tells whether images lie directly in a folder, `holds_images` whether any lie in it or below;
    `named` returns the name of a folder for messages.
    """

    def children(self, place: Place) -> list[str]: ...
    def has_images(self, place: Place) -> bool: ...
    def holds_images(self, place: Place) -> bool: ...
    def named(self, place: Place) -> str: ...


def find_root(folders: Folders, split: str, *, flat: bool) -> Place:
    """Return the folder that holds the class folders, or the images themselves.

    If there are folders of splits, in any case, the one of the split is taken. As a class may be
    called "val", folders with such names are splits only if no other folder beside them has images
    directly in it. If only one of several folders holds images, the search goes on in that one.

    Args:
        folders: the tree, in which () is the folder that was given.
        split: "val" or "train".
        flat: whether the images lie in one folder, and not in class folders.

    Raises:
        DataError: there are folders of splits, but none of this split.
    """
    place: Place = ()
    chosen = False
    while not (flat and folders.has_images(place)):
        names = folders.children(place)
        there = [name for name in names if name.lower() in OF_SPLITS]
        others = [name for name in names if name.lower() not in NO_CLASSES]
        if there and not chosen and not _any_has_images(folders, place, others):
            own = _of_split(there, split)
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


def _of_split(names: list[str], split: str) -> str | None:
    """Return the folder of a split, whose name may be in capitals."""
    for wanted in SPLIT_FOLDERS[split]:
        found = [name for name in names if name.lower() == wanted]
        if found:
            return wanted if wanted in found else found[0]
    return None


def _any_has_images(folders: Folders, place: Place, names: list[str]) -> bool:
    return any(folders.has_images((*place, name)) for name in names)


def of_split(paths: Sequence[Path], split: str, root: str) -> list[Path]:
    """Return the files of a split by words in their names, or all files if no name has one.

    Raises:
        DataError: by their names, the files hold other splits only.
    """
    held = [split_of(path.name) for path in paths]
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


def split_of(name: str) -> str | None:
    """Return the split that the name of a file says it holds; None where it says none."""
    words = re.split(r"[^a-z]+", PurePath(name).name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
