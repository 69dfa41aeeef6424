"""Decisions image by image -> what stands out among them, by NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validate.verdicts.results import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The decisions of R runs in the order of the image set, whatever order they were made in.

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

    def best(self, run: int) -> NDArray[np.int32]:
        """Return the best class (N,) of a run; -1 where the image failed."""
        return self.top_five[run][:, 0]

    def wrong(self, run: int) -> NDArray[np.bool_]:
        """Tell for each image (N,) whether a run decided it, and wrongly."""
        best = self.best(run)
        wrong: NDArray[np.bool_] = (best >= 0) & (best != self.labels)
        return wrong


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PerClass:
    """What one run decided, class by class; each (classes,) int64.

    Attributes:
        images: that could be read.
        wrong: of them, decided wrongly.
        answered: images of any class for which this one was the answer.
    """

    images: NDArray[np.int64]
    wrong: NDArray[np.int64]
    answered: NDArray[np.int64]

    @property
    def errors(self) -> NDArray[np.float64]:
        """Return the error of each class in percent; nan where it has no image."""
        with np.errstate(invalid="ignore"):
            return 100 * self.wrong / self.images

    def hardest(self) -> NDArray[np.int64]:
        """Return the classes that have images, the largest error first, then by index."""
        filled = np.flatnonzero(self.images)
        return filled[np.argsort(-self.errors[filled], kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """Means over the classes that have images, in percent; None where there are none.

    A class that is never answered has precision 0, as in scikit-learn's default.
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


def per_class(found: Answers, run: int) -> PerClass:
    """Count what a run decided, class by class."""
    best = found.best(run)
    read = best >= 0
    return PerClass(
        images=np.bincount(found.labels[read], minlength=found.classes),
        wrong=np.bincount(found.labels[found.wrong(run)], minlength=found.classes),
        answered=np.bincount(best[read], minlength=found.classes),
    )


def macro(found: Answers, run: int) -> Macro:
    """Return the means over classes of a run's precision, recall and F1."""
    counts = per_class(found, run)
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


def mistaken_for(found: Answers, run: int, label: int, *, most: int) -> list[tuple[int, int]]:
    """Return the classes that images of a class were mistaken for, with how many, most first."""
    chosen = found.best(run)[found.wrong(run) & (found.labels == label)]
    classes, counts = np.unique(chosen, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [(int(classes[n]), int(counts[n])) for n in order]


def confusion(found: Answers, run: int) -> NDArray[np.int64]:
    """Return how many images of each class (row) were answered by each (column)."""
    best = found.best(run)
    read = best >= 0
    cells = found.labels[read] * found.classes + best[read]
    return np.bincount(cells, minlength=found.classes**2).reshape(found.classes, -1)


def confident_mistakes(found: Answers, run: int, *, most: int) -> Sequence[int]:
    """Return the rows of wrong answers, the most confident first, then in the order of images."""
    rows = np.flatnonzero(found.wrong(run))
    order = np.argsort(-found.confidences[run][rows], kind="stable")
    return [int(row) for row in rows[order][:most]]


def flips(found: Answers, first: int, second: int) -> tuple[int, int]:
    """Return how many images only the first of two runs got right, and how many only the second."""
    right = [found.best(run) == found.labels for run in (first, second)]
    return int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())


def _classes(report: Report, labels: NDArray[np.int64]) -> int:
    """Return the number of classes; where nobody named them, one more than the largest seen."""
    if report.classes is not None:
        return len(report.classes)
    tops = [int(top.max(initial=-1)) for top in report.decisions.top_five]
    return 1 + max([int(labels.max(initial=0)), *tops])
