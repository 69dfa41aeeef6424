"""The section about classes in the page of a measurement: ten classes or a thousand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pages.axes import coordinate
from resnext.pages.class_table import (
    FEW_CLASSES,
    ClassTable,
    Confusion,
    class_table,
    confusion_of,
    display_names,
)
from resnext.terminal.text import printable
from validate.reports.sentences import percent
from validate.reports.statistics import Answers
from validate.verdicts.claim_groups import NetworkGroup
from validate.verdicts.results import Report

# Where classes are many: rows with bars for each network, and confusions.
HARDEST: Final = 10
# Numbers in the table of all classes.
MOST_NUMBERS: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkClasses:
    """The classes of one network.

    Attributes:
        pipelines: the runs.
        table: every class that has images where these are few, else the hardest.
        filled: classes that have images.
        empty: classes that have none.
        profiles: one a run: an SVG path of the sorted errors over a box of 100 x 100; none where
            classes are few.
        medians: of the errors in percent, one a run.
        perfect: how many classes have no error, one a run.
        confusion: of the first run.
    """

    title: str
    pipelines: tuple[str, ...]
    table: ClassTable
    filled: int
    empty: int
    profiles: tuple[str, ...]
    medians: tuple[str, ...]
    perfect: tuple[int, ...]
    confusion: Confusion


@dataclass(frozen=True, slots=True, kw_only=True)
class AllClasses:
    """The table of all classes and runs.

    Attributes:
        heads: of the columns of the runs.
        rows: index, name, images and the error in every run; the hardest of the first run first.
        left: how many classes are not among the rows.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[int, str, int, tuple[str, ...]], ...]
    left: int


def class_names(report: Report, classes: int) -> tuple[str, ...]:
    """Return what to call each class; numbers if they have no names."""
    if report.classes is None:
        return tuple(f"class {label}" for label in range(classes))
    return display_names(report.classes)


def network_classes(report: Report, found: Answers, group: NetworkGroup) -> NetworkClasses:
    """Return what is shown of the classes of a network."""
    runs = [found.top_one(place) for place in group.places]
    names = class_names(report, found.classes)
    counts = [run.counts() for run in runs]
    errors = [np.sort(each.errors[each.images > 0])[::-1] for each in counts]
    filled = int((counts[0].images > 0).sum())
    few = filled <= FEW_CLASSES
    return NetworkClasses(
        title=printable(group.title),
        pipelines=tuple(result.run.pixels for result in group.results),
        table=class_table(runs, names, most=FEW_CLASSES if few else HARDEST),
        filled=filled,
        empty=found.classes - filled,
        profiles=() if few else tuple(profile(values) for values in errors),
        medians=tuple(
            percent(float(np.median(values))) if len(values) else "-" for values in errors
        ),
        perfect=tuple(int((values == 0).sum()) for values in errors),
        confusion=confusion_of(runs[0], names, most=HARDEST),
    )


def all_classes(report: Report, found: Answers) -> AllClasses:
    """Return the table of all classes, up to the limit of rows; empty if there are few classes."""
    counts = [found.top_one(run).counts() for run in range(len(report.results))]
    order = counts[0].hardest() if counts else np.zeros(0, np.int64)
    if len(order) <= FEW_CLASSES:
        return AllClasses(heads=(), rows=(), left=0)
    most = MOST_NUMBERS // len(counts)
    names = class_names(report, found.classes)
    errors = [each.errors for each in counts]
    rows = (
        (
            int(label),
            names[label],
            int(counts[0].images[label]),
            tuple(f"{values[label]:.1f}" for values in errors),
        )
        for label in order[:most]
    )
    return AllClasses(
        heads=tuple(
            printable(f"{result.run.network}, {result.run.pixels}") for result in report.results
        ),
        rows=tuple(rows),
        left=max(len(order) - most, 0),
    )


def profile(errors: Sequence[float] | NDArray[np.float64]) -> str:
    """Return an SVG path of steps over a box of 100 x 100, as wide a step for each class.

    Args:
        errors: in percent, sorted.
    """
    width = 100 / max(len(errors), 1)
    parts = []
    previous = None
    for place, error in enumerate(errors):
        height = coordinate(100 - float(error))
        if previous is None:
            parts.append(f"M0 {height}")
        elif error != previous:
            parts.append(f"H{coordinate(place * width)}V{height}")
        previous = error
    return "".join([*parts, "H100"])
