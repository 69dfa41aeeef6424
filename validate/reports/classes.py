"""Errors class by class, for the page: ten classes or a thousand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.terminal.text import printable
from validate.reports.plot import profile
from validate.reports.statistics import Answers, PerClass, confusion, mistaken_for, per_class
from validate.reports.wording import cut, percent
from validate.verdicts.groups import Group
from validate.verdicts.results import Report

# Up to so many classes each has its bar and its cells; of more, the hardest have a bar.
FEW: Final = 20
HARDEST: Final = 10
# Numbers in the table of all classes.
MOST_CELLS: Final = 30_000
LONGEST: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBar:
    """A class and how often each run of a network gets it wrong.

    Attributes:
        errors: in percent, one a run.
        widths: of their bars, in percent of the room.
        counts: "3/36", one a run.
        taken: what it is most often mistaken for, by the first run.
    """

    name: str
    errors: tuple[float, ...]
    widths: tuple[float, ...]
    counts: tuple[str, ...]
    taken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How many images of one class were answered by another.

    Attributes:
        count: the number.
        shade: strength of the colour, from 0 to 1.
        right: the answer is the class.
    """

    count: int
    shade: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassesView:
    """The classes of one network.

    Attributes:
        pipelines: the runs.
        bars: the hardest first; all of them where they are few.
        top: the error, in percent, that fills the room of a bar.
        filled: classes that have images.
        empty: classes that have none.
        profiles: for each run an SVG path over a box of 100 x 100; none where classes are few.
        medians: of the errors, one a run.
        perfect: classes without an error, one a run.
        matrix: the confusion of the first run, row by row; none where classes are many.
        names: of rows and columns of the matrix.
    """

    title: str
    pipelines: tuple[str, ...]
    bars: tuple[ClassBar, ...]
    top: int
    filled: int
    empty: int
    profiles: tuple[str, ...]
    medians: tuple[str, ...]
    perfect: tuple[int, ...]
    matrix: tuple[tuple[Cell, ...], ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRows:
    """The table of all classes.

    Attributes:
        heads: of the runs' columns.
        rows: index, name, images and the error of every run, the hardest of the first run first.
        left: classes that the table has no room for.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[int, str, int, tuple[str, ...]], ...]
    left: int


def names_of(report: Report, classes: int) -> tuple[str, ...]:
    """Return what to call each class; two of one name (ImageNet has them) get their index too."""
    if report.classes is None:
        return tuple(f"class {label}" for label in range(classes))
    names = [cut(printable(name), LONGEST) for name in report.classes]
    shared = Counter(names)
    return tuple(
        f"{name} [{label}]" if shared[name] > 1 else name for label, name in enumerate(names)
    )


def classes_view(report: Report, found: Answers, group: Group) -> ClassesView:
    """Return what is shown of the classes of a network."""
    counts = [per_class(found, place) for place in group.places]
    names = names_of(report, found.classes)
    order = counts[0].hardest()
    few = len(order) <= FEW
    errors = [np.sort(each.errors[each.images > 0])[::-1] for each in counts]
    largest = max((float(values[0]) for values in errors if len(values)), default=0)
    top = max(ceil(largest / 10) * 10, 10)
    return ClassesView(
        title=printable(group.title),
        pipelines=tuple(result.run.pipeline for result in group.results),
        bars=tuple(
            _bar(found, group.places[0], counts, int(label), names=names, top=top)
            for label in order[: FEW if few else HARDEST]
        ),
        top=top,
        filled=len(order),
        empty=found.classes - len(order),
        profiles=() if few else tuple(profile(values.tolist()) for values in errors),
        medians=tuple(
            percent(float(np.median(values))) if len(values) else "-" for values in errors
        ),
        perfect=tuple(int((values == 0).sum()) for values in errors),
        matrix=_matrix(confusion(found, group.places[0])) if found.classes <= FEW else (),
        names=names if found.classes <= FEW else (),
    )


def class_rows(report: Report, found: Answers) -> ClassRows:
    """Return the table of all classes, as far as there is room; none where they are few."""
    runs = range(len(report.results))
    counts = [per_class(found, run) for run in runs]
    order = counts[0].hardest() if counts else np.zeros(0, np.int64)
    if len(order) <= FEW:
        return ClassRows(heads=(), rows=(), left=0)
    most = MOST_CELLS // max(len(counts), 1)
    names = names_of(report, found.classes)
    columns = [each.errors for each in counts]
    return ClassRows(
        heads=tuple(_head(report, run) for run in runs),
        rows=tuple(
            (
                int(label),
                names[label],
                int(counts[0].images[label]),
                tuple(f"{column[label]:.1f}" for column in columns),
            )
            for label in order[:most]
        ),
        left=max(len(order) - most, 0),
    )


def _bar(
    found: Answers,
    run: int,
    counts: Sequence[PerClass],
    label: int,
    *,
    names: Sequence[str],
    top: int,
) -> ClassBar:
    taken = mistaken_for(found, run, label, most=3)
    errors = [float(each.errors[label]) for each in counts]
    return ClassBar(
        name=names[label],
        errors=tuple(errors),
        widths=tuple(round(100 * error / top, 1) for error in errors),
        counts=tuple(f"{each.wrong[label]:,}/{each.images[label]:,}" for each in counts),
        taken=", ".join(f"{names[other]} ({count:,})" for other, count in taken),
    )


def _matrix(cells: NDArray[np.int64]) -> tuple[tuple[Cell, ...], ...]:
    totals = np.maximum(cells.sum(axis=1), 1)
    return tuple(
        tuple(
            Cell(count=int(count), shade=_shade(count / totals[row]), right=row == column)
            for column, count in enumerate(line)
        )
        for row, line in enumerate(cells)
    )


def _shade(share: float) -> float:
    """Return a colour's strength for a share of a class; the root, so that one image shows."""
    return round(0.5 * sqrt(share), 3)


def _head(report: Report, run: int) -> str:
    asked = report.results[run].run
    return printable(f"{asked.network}, {asked.pipeline}")
