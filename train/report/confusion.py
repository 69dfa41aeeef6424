"""What is taken for what: decisions to counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """How one class fared.

    Attributes:
        name: of the class.
        images: of it.
        wrong: of them, those decided wrongly.
        taken: the class that most of these were taken for; "" where none was wrong.
        taken_count: how many of them.
    """

    name: str
    images: int
    wrong: int
    taken: str
    taken_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One class taken for another.

    Attributes:
        true: what the pictures show.
        decided: what the network said.
        count: how often.
    """

    true: str
    decided: str
    count: int


def confusion(labels: Counts, decisions: NDArray[np.int32], classes: int) -> Counts:
    """Count (classes, classes) int64: row the label, column the decision."""
    flat = labels * classes + decisions.astype(np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def class_rows(counts: Counts, names: Sequence[str]) -> list[ClassRow]:
    """Return a row for each class that has images, the worst first."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    taken, wrong, images = off.argmax(axis=1), off.sum(axis=1), counts.sum(axis=1)
    rows = [
        ClassRow(
            name=names[label],
            images=int(images[label]),
            wrong=int(wrong[label]),
            taken=names[int(taken[label])] if wrong[label] else "",
            taken_count=int(off[label].max()),
        )
        for label in range(len(names))
        if images[label]
    ]
    return sorted(rows, key=lambda row: (-row.wrong / row.images, -row.wrong))


def worst_pairs(counts: Counts, names: Sequence[str], limit: int) -> list[Pair]:
    """Return the most frequent confusions, the most frequent first."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:limit]
    places = zip(*np.unravel_index(order, off.shape), strict=True)
    return [
        Pair(true=names[int(row)], decided=names[int(column)], count=int(off[row, column]))
        for row, column in places
        if off[row, column]
    ]
