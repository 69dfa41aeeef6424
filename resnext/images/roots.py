"""Which of many folders holds the images that are meant: the same answer on disk and in a tar."""

from typing import Protocol

from resnext.errors import DataError
from resnext.images.listing import NO_CLASSES, OF_SPLITS, SPLIT_FOLDERS
from resnext.images.names import few

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
