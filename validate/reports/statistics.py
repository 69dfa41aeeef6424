"""The decisions of a measurement -> means over classes, mistakes and comparisons of runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnext.pages.class_counts import TopOne
from validate.verdicts.results import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The decisions of R runs for N images, in the order of the image set.

    Attributes:
        positions: (N,) int64, ascending places in the image set.
        labels: (N,) int64.
        top_five: for each run (N, K) int32 class indices; -1 where the image failed.
        confidences: for each run (N,) float32 softmax of the best class.
        classes: how many there are.
    """

    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    top_five: tuple[NDArray[np.int32], ...]
    confidences: tuple[NDArray[np.float32], ...]
    classes: int

    def top_one(self, run: int) -> TopOne:
        """Return the best classes of a run; -1 where the image failed."""
        return TopOne(labels=self.labels, answers=self.top_five[run][:, 0], classes=self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """Means over the classes that have images, in percent; None where there are none.

    The precision of a class that was never answered is 0, as in scikit-learn by default.
    """

    precision: float | None
    recall: float | None
    f1: float | None


def answers(report: Report) -> Answers:
    """Return the decisions of a report in the order of its images."""
    decisions = report.decisions
    order = np.argsort(decisions.positions, kind="stable")
    positions = decisions.positions[order]
    labels = report.images.labels[positions]
    return Answers(
        positions=positions,
        labels=labels,
        top_five=tuple(top[order] for top in decisions.top_five),
        confidences=tuple(values[order] for values in decisions.confidences),
        classes=_classes(report, labels),
    )


def macro(found: Answers, run: int) -> Macro:
    """Return the means over classes of a run's precision, recall and F1."""
    counts = found.top_one(run).counts()
    filled = counts.images > 0
    if not filled.any():
        return Macro(precision=None, recall=None, f1=None)
    right = (counts.images - counts.wrong)[filled]
    images, answered = counts.images[filled], counts.answered[filled]
    return Macro(
        precision=float(100 * (right / np.maximum(answered, 1)).mean()),
        recall=float(100 * (right / images).mean()),
        f1=float(100 * (2 * right / (images + answered)).mean()),
    )


def confident_mistakes(found: Answers, run: int, *, most: int) -> Sequence[int]:
    """Return the rows of wrong answers, the most confident first, then in the order of images."""
    rows = np.flatnonzero(found.top_one(run).wrong)
    order = np.argsort(-found.confidences[run][rows], kind="stable")
    return [int(row) for row in rows[order][:most]]


def discordant(found: Answers, first: int, second: int) -> tuple[int, int]:
    """Return how many images only the first of two runs got right, and how many only the second."""
    one, two = (found.top_one(run).answers == found.labels for run in (first, second))
    return int((one & ~two).sum()), int((two & ~one).sum())


def _classes(report: Report, labels: NDArray[np.int64]) -> int:
    """Return the number of classes: of the names, else one more than the largest index seen."""
    if report.classes is not None:
        return len(report.classes)
    tops = [int(top.max(initial=-1)) for top in report.decisions.top_five]
    return 1 + max([int(labels.max(initial=0)), *tops])
