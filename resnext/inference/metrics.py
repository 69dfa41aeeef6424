"""Integer counts of correct images; percentages are computed where they are printed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from resnext.published import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

FIVE: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted over some images; the sum over disjoint sets is that of their union.

    Attributes:
        images: how many were looked at.
        top1_correct: of them, those whose largest logit is that of the label.
        top5_correct: of them, those whose label is among the five largest.
    """

    images: int = 0
    top1_correct: int = 0
    top5_correct: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            images=self.images + other.images,
            top1_correct=self.top1_correct + other.top1_correct,
            top5_correct=self.top5_correct + other.top5_correct,
        )

    def correct(self, metric: Metric) -> int:
        """Return how many images were decided correctly by what an error rate counts."""
        match metric:
            case Metric.TOP1_ERROR:
                return self.top1_correct
            case Metric.TOP5_ERROR:
                return self.top5_correct
        assert_never(metric)


def top_five(logits: "NDArray[np.floating]") -> "Indices":
    """Return the classes of the five largest logits, as `top_classes` does."""
    return top_classes(logits, FIVE)


def top_classes(logits: "NDArray[np.floating]", most: int) -> "Indices":
    """Return the classes of the largest logits, the largest first.

    Of equal logits the lower class stands first, whatever the batch or the machine.

    Args:
        logits: (N, classes), finite.
        most: how many classes, >= 1.

    Returns:
        (N, min(most, classes)) class indices from 0.
    """
    if most > FIVE:
        return np.argsort(-logits, axis=1, kind="stable")[:, :most]
    # Five times argmax, which returns the first of equal values, is faster than sorting.
    left, rows = logits.copy(), np.arange(len(logits))
    best = np.empty((len(logits), min(most, logits.shape[1])), np.int64)
    for place in range(best.shape[1]):
        best[:, place] = left.argmax(axis=1)
        left[rows, best[:, place]] = -np.inf
    return best


def count(decisions: "Indices", labels: "Indices") -> Counts:
    """Count the images that were decided correctly.

    Args:
        decisions: (N, k) class indices, the best first, as `top_five` returns them.
        labels: (N,) class indices.
    """
    hits = decisions == labels[:, None]
    return Counts(
        images=len(labels),
        top1_correct=int(hits[:, :1].sum()),
        top5_correct=int(hits.sum()),
    )
