"""Images in one tar, which is not unpacked: class folders, or a flat folder and labels."""

import os
from collections.abc import Iterable
from pathlib import Path

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels
from resnext.images.listing import Listing, ignored_note, is_image
from resnext.images.names import Names, few
from resnext.images.splits import Place, find_root
from resnext.images.tar import Index


class Tree:
    """The folders of a tar, and the images in each.

    Attributes:
        path: of the tar.
        index: what it holds.
        images: folder -> (name of the file, position in the index).
        folders: of the tar, including those without images.
        ignored: names of what is hidden or no image.
    """

    def __init__(self, path: Path, index: Index) -> None:
        self.path = path
        self.index = index
        self.ignored = list(index.ignored)
        self.images: dict[Place, list[tuple[str, int]]] = {}
        for position, name in enumerate(index.names):
            *place, file = name.split("/")
            if is_image(file):
                self.images.setdefault(tuple(place), []).append((file, position))
            else:
                self.ignored.append(name)
        self.folders = _with_parents(
            [*self.images, *(tuple(name.split("/")) for name in index.folders if name)]
        )

    def children(self, place: Place) -> list[str]:
        """Return the names of the folders in a folder, sorted as bytes."""
        names = {
            each[len(place)]
            for each in self.folders
            if len(each) == len(place) + 1 and each[: len(place)] == place
        }
        return sorted(names, key=os.fsencode)

    def named(self, place: Place) -> str:
        """Return the name of a folder for messages."""
        return "/".join((str(self.path), *place))

    def has_images(self, place: Place) -> bool:
        """Tell whether images lie directly in a folder."""
        return place in self.images

    def holds_images(self, place: Place) -> bool:
        """Tell whether there are images in a folder or below it."""
        return any(each[: len(place)] == place for each in self.images)


def archive_images(path: Path, index: Index, labels: Labels | None, *, split: str) -> ImageSet:
    """Return the images of a tar.

    Args:
        path: of the tar.
        index: what it holds.
        labels: by the names of the files; None if there are class folders.
        split: "val" or "train", used if the tar has folders of splits.

    Raises:
        DataError: there are no images, or none in a flat folder (with labels) or in class folders
            (without).
    """
    tree = Tree(path, index)
    if not tree.images:
        inner = [name for name in index.names if name.endswith(".tar")]
        hint = "; unpack the tars in it, each into a folder of its name" if inner else ""
        found = few(inner or index.names or ["nothing"])
        raise DataError(f"{path}: images expected, found {found}{hint}")
    root = find_root(tree, split, flat=labels is not None)
    return _class_folders(tree, root) if labels is None else _flat(tree, root, labels)


def _class_folders(tree: Tree, root: Place) -> ImageSet:
    listing = Listing(
        root=tree.named(root), classes=tuple(tree.children(root)), ignored=tree.ignored
    )
    positions = []
    for label, name in enumerate(listing.classes):
        for file, position in sorted(tree.images.get((*root, name), []), key=_bytes):
            listing.names.append(f"{name}/{file}")
            listing.labels.append(label)
            positions.append(position)
    _ignore_others(tree, root, positions)
    return listing.images(Names(listing.names), tree.index.byte_ranges.chosen(positions))


def _flat(tree: Tree, root: Place, labels: Labels) -> ImageSet:
    files = sorted(tree.images.get(root, []), key=_bytes)
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
        notes=(*ignored_note(tree.named(root), tree.ignored), *notes),
    )


def _ignore_others(tree: Tree, root: Place, positions: list[int]) -> None:
    """Add the images below the root that are not taken to those that are ignored."""
    taken = set(positions)
    for place, files in tree.images.items():
        if place[: len(root)] == root:
            others = (file for file, position in files if position not in taken)
            tree.ignored.extend("/".join((*place[len(root) :], file)) for file in others)


def _with_parents(places: Iterable[Place]) -> set[Place]:
    return {place[:length] for place in places for length in range(1, len(place) + 1)}


def _bytes(entry: tuple[str, int]) -> bytes:
    return os.fsencode(entry[0])
