"""Images in one tar, which is not unpacked: class folders, or a flat folder and labels."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels
from resnext.images.listing import START, Listing, has_suffix, ignored_note, is_image, is_picture
from resnext.images.names import Names, few
from resnext.images.sources.tar import Index
from resnext.images.splits import Place, find_root


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder of a tar.

    Attributes:
        folders: those in it, by name.
        images: in it, (name of the file, position in the index).
        below: number of images in it and in the folders below it.
    """

    folders: dict[str, "_Folder"] = field(default_factory=dict)
    images: list[tuple[str, int]] = field(default_factory=list)
    below: int = 0


class Tree:
    """The folders of a tar, and the images in each.

    Attributes:
        path: of the tar.
        index: what it holds.
        ignored: names of what is hidden or no image.
        unnamed: those of them that are pictures, and whose names have no suffix.
    """

    def __init__(self, path: Path | str, index: Index) -> None:
        self.path = path
        self.index = index
        self.ignored = list(index.ignored)
        self.unnamed: list[str] = []
        self._top = _Folder()
        for name in filter(None, index.folders):
            self._way(name.split("/"))
        for position, name in enumerate(index.names):
            *place, file = name.split("/")
            if is_image(file):
                way = self._way(place)
                way[-1].images.append((file, position))
                for folder in way:
                    folder.below += 1
            else:
                self.ignored.append(name)
                if not has_suffix(file) and is_picture(index.byte_ranges.start(position, START)):
                    self.unnamed.append(name)

    def children(self, place: Place) -> list[str]:
        """Return the names of the folders in a folder, sorted as bytes."""
        return sorted(self._at(place).folders, key=os.fsencode)

    def named(self, place: Place) -> str:
        """Return the name of a folder for messages."""
        return "/".join((str(self.path), *place))

    def has_images(self, place: Place) -> bool:
        """Tell whether images lie directly in a folder."""
        return bool(self._at(place).images)

    def holds_images(self, place: Place) -> bool:
        """Tell whether there are images in a folder or below it."""
        return self._at(place).below > 0

    def images(self, place: Place) -> list[tuple[str, int]]:
        """Return the images directly in a folder, sorted as bytes: (file, position)."""
        return sorted(self._at(place).images, key=_bytes)

    def _at(self, place: Place) -> _Folder:
        folder = self._top
        for name in place:
            folder = folder.folders[name]
        return folder

    def _way(self, place: Sequence[str]) -> list[_Folder]:
        """Return the folders on the way to a place, which are made where they are missing."""
        way = [self._top]
        for name in place:
            way.append(way[-1].folders.setdefault(name, _Folder()))
        return way


def archive_images(
    path: Path | str, index: Index, labels: Labels | None, *, split: str
) -> ImageSet:
    """Return the images of a tar.

    Args:
        path: of the tar, or the address of a folder in a store.
        index: what it holds.
        labels: by the names of the files; None if there are class folders.
        split: "val" or "train", used if the tar has folders of splits.

    Raises:
        DataError: there are no images, or none in a flat folder (with labels) or in class folders
            (without).
    """
    tree = Tree(path, index)
    if not tree.holds_images(()):
        inner = [name for name in index.names if name.endswith(".tar")]
        hint = "; unpack the tars in it, each into a folder of its name" if inner else ""
        found = few(inner or index.names or ["nothing"])
        raise DataError(f"{path}: images expected, found {found}{hint}")
    root = find_root(tree, split, flat=labels is not None)
    return _class_folders(tree, root) if labels is None else _flat(tree, root, labels)


def _class_folders(tree: Tree, root: Place) -> ImageSet:
    listing = Listing(
        root=tree.named(root),
        classes=tuple(tree.children(root)),
        ignored=tree.ignored,
        unnamed=tree.unnamed,
    )
    positions = []
    for label, name in enumerate(listing.classes):
        for file, position in tree.images((*root, name)):
            listing.names.append(f"{name}/{file}")
            listing.labels.append(label)
            positions.append(position)
    _ignore_others(tree, root, positions)
    return listing.images(Names(listing.names), tree.index.byte_ranges.chosen(positions))


def _flat(tree: Tree, root: Place, labels: Labels) -> ImageSet:
    files = tree.images(root)
    if not files:
        raise DataError(
            f"{tree.named(root)}: images directly in one folder expected, as {labels.source} "
            "labels them, found none; folders for classes are labels of their own, and take no "
            "--labels"
        )
    names = Names(file for file, _ in files)
    positions = [position for _, position in files]
    _ignore_others(tree, root, positions)
    numbers, notes = labels.assign(names, tree.named(root))
    return ImageSet(
        root=tree.named(root),
        ids=names,
        labels=numbers,
        classes=labels.classes,
        reader=tree.index.byte_ranges.chosen(positions),
        notes=(*ignored_note(tree.named(root), tree.ignored, unnamed=tree.unnamed), *notes),
    )


def _ignore_others(tree: Tree, root: Place, positions: list[int]) -> None:
    """Add the images below the root that are not taken to those that are ignored."""
    taken = set(positions)
    way = "".join(f"{name}/" for name in root)
    for position, name in enumerate(tree.index.names):
        if position not in taken and name.startswith(way) and is_image(name.rpartition("/")[2]):
            tree.ignored.append(name.removeprefix(way))


def _bytes(entry: tuple[str, int]) -> bytes:
    return os.fsencode(entry[0])
