"""ILSVRC2012: its thousand classes in the order of their labels, and its validation images' labels.

Classes are known by their WordNet ids (wnids), never by their names: `crane` and `maillot` are each
two classes.

`imagenet_val_labels.npy`, (50000,) uint16, has the label of ILSVRC2012_val_00000001.JPEG and so on.
Sources: the list of wnids in tensorflow-datasets (Apache-2.0) and an independent list, which agree
on all of them. Each class has 50 images.
"""

import csv
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.labels import Labels
from resnext.images.names import brief, few
from resnext.terminal.text import number

WNIDS: tuple[str, ...]
NAMES: tuple[str, ...]

SET: Final = "ILSVRC2012"  # stands for its thousand wnids where these would be listed
PREFIX: Final = f"{SET}_val_"
VALIDATION_IMAGES: Final = 50_000
VALIDATION_FILE: Final = re.compile(PREFIX + r"(\d{8})(?:\.[^.]+)?", re.ASCII | re.DOTALL)

# The same with the class behind it, as some distributions name the files.
PUBLISHED_FILE: Final = re.compile(
    PREFIX + r"(\d{8})(?:_n\d{8})?(?:\.[^.]+)?", re.ASCII | re.DOTALL
)

# Images in other classes' folders that are a slip; more are another order of the classes.
MOST_MISPLACED: Final = 5


def __getattr__(name: str) -> tuple[str, ...]:
    """Read the table when one of its columns is first asked for."""
    columns = {"WNIDS": "wnid", "NAMES": "name"}
    if name not in columns:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _columns()[columns[name]]


@cache
def _columns() -> dict[str, tuple[str, ...]]:
    path = Path(__file__).with_name("imagenet_classes.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["index"] for row in rows] == [str(label) for label in range(1000)]
    return {column: tuple(row[column] for row in rows) for column in ("wnid", "name")}


@cache
def _validation_table() -> NDArray[np.uint16]:
    path = Path(__file__).with_name("imagenet_val_labels.npy")
    table: NDArray[np.uint16] = np.load(path, allow_pickle=False)
    return table


def validation_labels() -> Labels:
    """Return the labels of the validation images, by the names of their files without suffix."""
    labels = enumerate(_validation_table().tolist(), start=1)
    return Labels(
        source="the built-in labels of ILSVRC2012's validation set",
        numbers={f"{PREFIX}{place:08d}": label for place, label in labels},
        classes=_columns()["wnid"],
    )


def published_name(image: str) -> str | None:
    """Return the published name of a validation image, without its suffix; None for all others.

    Args:
        image: its name in a set, perhaps with folders before it and its class behind it.
    """
    file = image.rpartition("/")[2]
    found = PUBLISHED_FILE.fullmatch(file) if file.startswith(PREFIX) else None
    return f"{PREFIX}{found[1]}" if found and 0 < int(found[1]) <= VALIDATION_IMAGES else None


def titles(classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return readable names of classes: for ImageNet's wnids, the name before the wnid."""
    columns = _columns()
    if classes != columns["wnid"]:
        return classes
    both = zip(columns["wnid"], columns["name"], strict=True)
    return tuple(f"{name} ({wnid})" for wnid, name in both)


def check_class_folders(images: ImageSet) -> ImageSet:
    """Compare the classes of ILSVRC2012's validation images with their built-in labels.

    A folder that was sorted by another order of the classes is the commonest way to a wrong error
    rate. Sets whose classes are not all wnids of ILSVRC2012, or that are larger than its validation
    set, are returned as they are.

    Returns:
        The set; with a note where up to `MOST_MISPLACED` images are of other classes.

    Raises:
        DataError: more images are of other classes.
    """
    wnids = _columns()["wnid"]
    classes = images.classes
    if classes is None or not set(classes).issubset(wnids):
        return images
    if len(images) > len(_validation_table()):
        return images
    misplaced = _misplaced(images, [wnids.index(name) for name in classes])
    if not misplaced:
        return images
    count = number(len(misplaced), "validation image")
    if len(misplaced) > MOST_MISPLACED:
        position, label = next(iter(misplaced.items()))
        folder = classes[images.labels[position]]
        raise DataError(
            f"{images.root}: the validation images of ILSVRC2012 by their classes expected, found "
            f"{count} of {len(images)} in other classes: {brief(images.ids[position])} lies in "
            f"{folder} and is of {wnids[label]} ({_columns()['name'][label]}); sort the images "
            "anew, or put all of them into one folder, for which the labels are built in"
        )
    names = few([images.ids[position] for position in misplaced])
    note = f"{images.root}: {count} of ILSVRC2012 in folders of other classes: {names}"
    return replace(images, notes=(*images.notes, note))


def _misplaced(images: ImageSet, labels: list[int]) -> dict[int, int]:
    """Return position -> label of the validation images that are in a class of another label.

    Args:
        images: in classes that are wnids of ILSVRC2012.
        labels: in ILSVRC2012, of these classes.
    """
    table = _validation_table()
    misplaced: dict[int, int] = {}
    for position, name in enumerate(images.ids):
        if PREFIX not in name or not (found := VALIDATION_FILE.fullmatch(name.rpartition("/")[2])):
            continue
        place = int(found[1]) - 1
        if 0 <= place < len(table) and table[place] != labels[images.labels[position]]:
            misplaced[position] = int(table[place])
    return misplaced
