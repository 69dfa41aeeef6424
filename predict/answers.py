"""Logits to answers: the best classes of each picture, with their probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predict.prediction import Answer
from resnext.inference.metrics import top_classes


def answers_of(
    logits: NDArray[np.float32], classes: Sequence[str], *, top: int, threshold: float
) -> list[tuple[Answer, ...]]:
    """Return the best classes of each picture, the most probable first.

    Args:
        logits: (N, classes), finite; of several crops their average.
        classes: the name of each label.
        top: so many classes, at most all of them.
        threshold: classes of a smaller probability are left out.
    """
    probabilities = softmax(logits)
    best = top_classes(logits, top)
    return [
        tuple(
            Answer(label=label, name=classes[label], probability=float(row[label]))
            for label in labels
            if row[label] >= threshold
        )
        for row, labels in zip(probabilities, best.tolist(), strict=True)
    ]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the softmax (N, classes) of logits (N, classes), in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    found: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return found
