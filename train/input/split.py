"""Images to train on and images to validate with, of the same classes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.image_set import ImageSet, Reader
from resnext.images.names import Names, few
from train.recipe.random_streams import StreamUse, stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """The images of a training.

    Attributes:
        train: what is learnt from; every class has one or more.
        val: what the network is measured on, labelled like `train`.
        is_split: both are parts of one set, drawn from a seed.
        notes: how they were chosen, where that needs saying.
    """

    train: ImageSet
    val: ImageSet
    is_split: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetReader:
    """Some of the images of another reader.

    Attributes:
        reader: of all.
        positions: (N,) int64, of those that are meant.
    """

    reader: Reader
    positions: NDArray[np.int64]

    def read(self, position: int) -> bytes:
        """Return the bytes of the image at a position among the chosen ones."""
        return self.reader.read(int(self.positions[position]))

    def stamp(self) -> str:
        """Return the stamp of all; the ids say which are meant."""
        return self.reader.stamp()


def subset(images: ImageSet, positions: NDArray[np.int64]) -> ImageSet:
    """Return some images of a set, in the order of their positions."""
    return replace(
        images,
        ids=Names(images.ids[int(position)] for position in positions),
        labels=images.labels[positions],
        reader=SubsetReader(reader=images.reader, positions=positions),
    )


def is_same(one: ImageSet, other: ImageSet) -> bool:
    """Tell whether two sets are the same images of the same place."""
    return (one.root, len(one)) == (other.root, len(other)) and tuple(one.ids) == tuple(other.ids)


def split(images: ImageSet, fraction: float, *, seed: int) -> Images:
    """Keep a part of each class for validation, drawn from a seed.

    Args:
        images: two or more of each class.
        fraction: of each class, 0 < fraction < 1, rounded; one image at least stays on each side.
        seed: decides which.

    Raises:
        DataError: a class of fewer than two images.
    """
    generator = stream(seed, StreamUse.SPLIT)
    kept: list[NDArray[np.int64]] = []
    for label in np.unique(images.labels):
        members = np.flatnonzero(images.labels == label)
        if len(members) < 2:
            raise DataError(
                f"{images.root}: two images or more of each class expected, to train on one and "
                f"validate with another, found {len(members)} of {class_name(images, int(label))}"
            )
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        kept.append(generator.permutation(members)[:count])
    val = np.sort(np.concatenate(kept)).astype(np.int64)
    rest = np.setdiff1d(np.arange(len(images)), val).astype(np.int64)
    return Images(train=subset(images, rest), val=subset(images, val), is_split=True)


def class_name(images: ImageSet, label: int) -> str:
    """Return what the source calls a label."""
    return f"class {images.classes[label]!r}" if images.classes else f"class {label}"


def check_classes(images: ImageSet, classes: int) -> None:
    """Check that there is something to tell apart, and something to learn each class from.

    Args:
        images: to train on.
        classes: how many there are.

    Raises:
        DataError: one class, or a class without images.
    """
    if classes < 2:
        raise DataError(f"{images.root}: two classes or more expected, found {classes}")
    counts = np.bincount(images.labels, minlength=classes)
    empty = [class_name(images, int(label)) for label in np.flatnonzero(counts == 0)]
    if empty:
        raise DataError(
            f"{images.root}: images of every class expected, found none of {few(empty)}; "
            "remove such a class, or put pictures directly into its folder (JPEG or PNG, say)"
        )
