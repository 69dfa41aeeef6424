"""The images of a training: a training set and a validation set of the same classes."""

from dataclasses import dataclass

import numpy as np

from resnext.errors import DataError
from resnext.fields import shown
from resnext.images.image_set import ImageSet
from resnext.images.names import few
from train.recipe.random_streams import StreamUse, stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """The images of a training.

    Attributes:
        train: the training set, with one or more images of every class.
        val: the validation set, with the same labels.
        is_split: both are parts of one set, split at random.
        notes: what the user should know about their choice, one sentence each.
    """

    train: ImageSet
    val: ImageSet
    is_split: bool = False
    notes: tuple[str, ...] = ()


def is_same(one: ImageSet, other: ImageSet) -> bool:
    """Tell whether two sets have the same source and the same images."""
    return (one.root, len(one)) == (other.root, len(other)) and tuple(one.ids) == tuple(other.ids)


def split(images: ImageSet, fraction: float, *, seed: int) -> Images:
    """Split a set at random into a training set and a validation set.

    Args:
        images: two or more of each class.
        fraction: of each class that is kept for validation, 0 < fraction < 1. The number is
            rounded, and each part gets at least one image of each class.
        seed: determines the split.

    Raises:
        DataError: a class has fewer than two images.
    """
    generator = stream(seed, StreamUse.SPLIT)
    kept = []
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
    return Images(train=images.at(rest), val=images.at(val), is_split=True)


def class_name(images: ImageSet, label: int) -> str:
    """Return the name of a label's class for messages."""
    return f"class {shown(images.classes[label])}" if images.classes else f"class {label}"


def check_classes(images: ImageSet, classes: int) -> None:
    """Check that there are two or more classes, and images of each.

    Args:
        images: the training set.
        classes: number of classes.

    Raises:
        DataError: there are fewer than two classes, or there is a class without images.
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
