"""Counts by class -> what a page shows of them: rows with bars, and the confusions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from resnext.pages.class_counts import TopOne
from resnext.terminal.text import printable

# Up to so many classes the confusion is shown as a matrix; of more, the most frequent confusions.
FEW_CLASSES: Final = 30
# Wrong answers that are named for each class.
MOST_ANSWERS: Final = 3
# Letters of a name that is shown in full.
LONGEST_NAME: Final = 60
# Letters of a name beside a matrix; the larger numbers where names would be the same.
MATRIX_LETTERS: Final = (20, 30, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """A class and its error in each of one or more runs.

    Attributes:
        errors: in percent, one a run.
        widths: of the bars, in percent of the longest possible one.
        counts: wrong and all images of the class, as "3/36", one a run.
        mistaken_for: the most frequent wrong answers of the first run, with their counts.
    """

    name: str
    errors: tuple[str, ...]
    widths: tuple[float, ...]
    counts: tuple[str, ...]
    mistaken_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """The classes that have images.

    Attributes:
        rows: those with the largest errors in the first run, in this order.
        top: the error, in percent, of a bar that fills its column.
        left: how many classes are not among the rows.
    """

    rows: tuple[ClassRow, ...]
    top: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One cell of a confusion matrix.

    Attributes:
        count: images.
        shade: strength of the colour, from 0 to 1.
        right: label and answer are the same class.
    """

    count: int
    shade: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusedPair:
    """A class, the class that was answered for its images, and for how many."""

    label: str
    answer: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """The labels and answers of one run.

    Attributes:
        names: of the rows and columns of the matrix.
        short_names: the same for the room beside it.
        matrix: a row for each label; none where classes are many.
        pairs: the most frequent confusions; none where there is a matrix.
    """

    names: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    matrix: tuple[tuple[MatrixCell, ...], ...] = ()
    pairs: tuple[ConfusedPair, ...] = ()


def class_table(runs: Sequence[TopOne], names: Sequence[str], *, most: int) -> ClassTable:
    """Return the table of one or more runs over the same images.

    Args:
        runs: the first decides the order.
        names: of all classes.
        most: rows at most.
    """
    counts = [run.counts() for run in runs]
    order = counts[0].hardest()
    errors = [each.errors for each in counts]
    largest = max(float(each.errors[each.images > 0].max(initial=0)) for each in counts)
    top = max(ceil(largest / 10) * 10, 10)
    rows = (
        ClassRow(
            name=names[label],
            errors=tuple(f"{values[label]:.2f}" for values in errors),
            widths=tuple(round(float(100 * values[label] / top), 1) for values in errors),
            counts=tuple(f"{each.wrong[label]:,}/{each.images[label]:,}" for each in counts),
            mistaken_for=", ".join(
                f"{names[answer]} ({count:,})"
                for answer, count in runs[0].mistaken_for(int(label), most=MOST_ANSWERS)
            ),
        )
        for label in order[:most]
    )
    return ClassTable(rows=tuple(rows), top=top, left=max(len(order) - most, 0))


def confusion_of(run: TopOne, names: Sequence[str], *, most: int) -> Confusion:
    """Return the confusion matrix where classes are few, else the most frequent confusions.

    Args:
        run: the answers.
        names: of all classes.
        most: pairs at most, where classes are many.
    """
    if run.classes > FEW_CLASSES:
        pairs = run.confusions(most=most)
        return Confusion(
            pairs=tuple(
                ConfusedPair(label=names[label], answer=names[answer], count=count)
                for label, answer, count in pairs
            )
        )
    return Confusion(names=tuple(names), short_names=tuple(short_names(names)), matrix=_matrix(run))


def display_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes for a page; two of one name (ImageNet has them) get an index."""
    shown = [shortened(printable(name), LONGEST_NAME) for name in names]
    shared = Counter(shown)
    return tuple(
        f"{name} [{label}]" if shared[name] > 1 else name for label, name in enumerate(shown)
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without their middle, where they are long and stay different from each other."""
    for letters in MATRIX_LETTERS:
        short = [shortened(name, letters) for name in names]
        if len(set(short)) == len(names):
            return short
    return list(names)


def shortened(name: str, letters: int) -> str:
    """Return a name with at most so many of its first and last letters."""
    half = letters // 2
    return name if len(name) <= letters else f"{name[:half]}\u2026{name[-half:]}"


def _matrix(run: TopOne) -> tuple[tuple[MatrixCell, ...], ...]:
    cells = run.confusion_matrix()
    totals = cells.sum(axis=1).clip(min=1)
    return tuple(
        tuple(
            MatrixCell(
                count=int(count),
                # The root of its share of the class: a single image can be seen.
                shade=round(float(count / totals[row]) ** 0.5, 3),
                right=row == column,
            )
            for column, count in enumerate(line)
        )
        for row, line in enumerate(cells)
    )
