"""Images to train on and to validate with."""

from dataclasses import dataclass

import numpy as np
import pytest

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from train.input.split import check_classes, is_same, split


@dataclass(frozen=True)
class Numbers:
    """Images whose bytes are their position."""

    def read(self, position: int) -> bytes:
        return str(position).encode()

    def stamp(self) -> str:
        return "numbers"


def images(*counts: int) -> ImageSet:
    labels = np.repeat(np.arange(len(counts)), counts)
    return ImageSet(
        root="here",
        ids=tuple(f"{label}/{place}" for place, label in enumerate(labels)),
        labels=labels.astype(np.int64),
        classes=tuple("abcdef"[: len(counts)]),
        reader=Numbers(),
    )


def test_split_keeps_a_part_of_each_class_and_loses_nothing() -> None:
    whole = images(40, 10, 2, 3)
    parts = split(whole, 0.2, seed=1)
    assert list(np.bincount(parts.val.labels)) == [8, 2, 1, 1]
    assert sorted([*parts.val.ids, *parts.train.ids]) == sorted(whole.ids)
    for part in (parts.train, parts.val):
        for position, name in enumerate(part.ids):
            assert part.reader.read(position).decode() == name.split("/")[1]
            assert part.labels[position] == int(name[0])


def test_split_depends_on_the_seed_alone() -> None:
    first, again, other = (split(images(40, 10), 0.2, seed=seed) for seed in (1, 1, 2))
    assert tuple(first.val.ids) == tuple(again.val.ids)
    assert tuple(first.val.ids) != tuple(other.val.ids)


def test_large_fraction_leaves_something_to_learn_from() -> None:
    parts = split(images(2, 2), 0.99, seed=0)
    assert list(np.bincount(parts.train.labels)) == [1, 1]


def test_class_with_one_image_cannot_be_split() -> None:
    with pytest.raises(DataError, match="found 1 of class 'b'"):
        split(images(5, 1), 0.2, seed=0)


def test_class_without_images_is_refused() -> None:
    with pytest.raises(DataError, match="found none of class 'b'"):
        check_classes(images(5, 0, 3), 3)


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="two classes or more expected, found 1"):
        check_classes(images(5), 1)


def test_sets_of_the_same_images_are_known_as_such() -> None:
    whole = images(4, 4)
    assert is_same(whole, images(4, 4))
    assert not is_same(whole, whole.at(np.arange(7)))
