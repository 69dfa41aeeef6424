"""Finding the images that the options name: to train on, and to validate with."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from resnext.download import Bar
from resnext.errors import DataError, UnlabelledError
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.images.splits import SPLIT_FOLDERS
from train.input.split import Images, check_classes, is_same, split

if TYPE_CHECKING:
    from resnext.distributed.job import Job
    from train.input.options import TrainingConfig

# Fraction of each class that is kept for validation where there is no validation set.
USUAL_FRACTION: Final = 0.2

T = TypeVar("T")


def find_images(config: "TrainingConfig", bar: Bar) -> Images:
    """Find the images to train on and those to validate with, each with its own labels.

    Raises:
        DataError: there are none, or a class has too few to be split.
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


def in_turn(job: "Job", find: Callable[[], T]) -> T:
    """Run a function on one process of each machine first, then on the others.

    The first process downloads what is missing, and the others find it. Downloads are locked
    already, but on a file system without locks each process would download everything.
    """
    wait = job.long_wait()
    found = find() if job.local_rank == 0 else None
    wait()
    return find() if found is None else found


def _unused(config: "TrainingConfig", train: ImageSet) -> Iterator[str]:
    """Say that a folder's own validation images are not used."""
    folders = (Path(config.data, name) for name in SPLIT_FOLDERS["val"])
    own = next((folder for folder in folders if folder.is_dir()), None)
    if own is not None and Path(train.root) != Path(config.data):
        yield f"{own}: not used, because --val-fraction is given"


def digest(images: ImageSet) -> str:
    """Return the sha256 of ids and labels; it does not change when a damaged file is repaired."""
    total = hashlib.sha256("\0".join(images.ids).encode("utf-8", "surrogateescape"))
    total.update(np.ascontiguousarray(images.labels, "<i8").data)
    return total.hexdigest()


def count_classes(images: ImageSet) -> int:
    """Return the number of classes: those that the set names, or else up to its highest label."""
    return len(images.classes) if images.classes else int(images.labels.max(initial=-1)) + 1


def _notes(train: ImageSet, val: ImageSet) -> tuple[str, ...]:
    notes = dict.fromkeys((*train.notes, *val.notes))
    # Names and sizes identify a copy in another place.
    alike = len(train) == len(val) and tuple(train.ids) == tuple(val.ids)
    if alike and train.reader.stamp() == val.reader.stamp():
        note = "the images to validate with have the names and sizes of those to train on"
        notes[f"{val.root}: {note}: if they are the same, their error says nothing of others"] = (
            None
        )
    return tuple(notes)
