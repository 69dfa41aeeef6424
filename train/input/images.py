"""The images that a command line names: to train on, and to validate with."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from resnext.errors import DataError, UnlabelledError
from resnext.images.image_set import ImageSet
from resnext.images.opening import open_images
from resnext.images.remote import Bar
from resnext.images.splits import SPLIT_FOLDERS
from train.input.split import Images, check_classes, is_same, split

if TYPE_CHECKING:
    from train.input.options import Config

# Of each class, where the images bring no validation set of their own and nobody says how many.
USUAL_FRACTION: Final = 0.2


def find_images(config: "Config", bar: Bar) -> Images:
    """Find the images to train on and those to validate with, each with its own labels.

    Raises:
        DataError: there are none, or one class has too few to be split.
    """

    def opened(data: str, which: str) -> ImageSet:
        try:
            return open_images(data, split=which, cache=config.cache, progress=bar)
        except UnlabelledError as error:
            raise DataError(f"{error.found}; {error.moved}") from error

    train = opened(config.data, "train")
    if config.val_data is not None:
        val = opened(config.val_data, "val")
        return Images(train=train, val=val, notes=_notes(train, val))
    fraction = config.val_fraction
    if fraction is None:
        try:
            val = opened(config.data, "val")
        except DataError as error:
            raise DataError(
                f"{error}; or give other images with --val-data, or a part of these with "
                "--val-fraction"
            ) from error
        if not is_same(train, val):
            return Images(train=train, val=val, notes=_notes(train, val))
        fraction = USUAL_FRACTION
    check_classes(train, count_classes(train))
    parts = split(train, fraction, seed=config.seed)
    note = (
        f"{train.root}: {fraction:.0%} of each class, drawn from seed {config.seed}, are kept to "
        f"validate with: {len(parts.val)} of {len(train)}"
    )
    return replace(parts, notes=(*train.notes, note, *_unused(config, train)))


def _unused(config: "Config", train: ImageSet) -> Iterator[str]:
    """Say that a folder's own validation images are left alone."""
    folders = (Path(config.data, name) for name in SPLIT_FOLDERS["val"])
    own = next((folder for folder in folders if folder.is_dir()), None)
    if own is not None and Path(train.root) != Path(config.data):
        yield f"{own}: not used, because --val-fraction is given"


def digest(images: ImageSet) -> str:
    """Return the sha256 of names and labels, which a repaired file leaves as they are."""
    total = hashlib.sha256("\0".join(images.ids).encode("utf-8", "surrogateescape"))
    total.update(np.ascontiguousarray(images.labels, "<i8").data)
    return total.hexdigest()


def count_classes(images: ImageSet) -> int:
    """Count the classes that a set names, or those up to its highest label."""
    return len(images.classes) if images.classes else int(images.labels.max(initial=-1)) + 1


def _notes(train: ImageSet, val: ImageSet) -> tuple[str, ...]:
    notes = dict.fromkeys((*train.notes, *val.notes))
    # A copy elsewhere is told by its names and sizes.
    alike = len(train) == len(val) and tuple(train.ids) == tuple(val.ids)
    if alike and train.reader.stamp() == val.reader.stamp():
        note = "the images to validate with have the names and sizes of those to train on"
        notes[f"{val.root}: {note}: if they are the same, their error says nothing of others"] = (
            None
        )
    return tuple(notes)
