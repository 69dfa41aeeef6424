"""How much each class counts in the loss."""

from collections.abc import Sequence
from pathlib import Path
from sys import float_info

import numpy as np
from numpy.typing import NDArray

from resnext.fields import is_number, read_toml
from resnext.images.image_set import ImageSet
from resnext.images.names import few
from train.errors import RecipeError


def total_weight(labels: NDArray[np.int64], weights: Sequence[float] | None) -> float:
    """Return what the sum of the losses of some pictures is divided by: their weights' sum.

    Args:
        labels: (N,) of the pictures.
        weights: factors by class; None weighs all the same.
    """
    if weights is None:
        return float(len(labels))
    return float(np.asarray(weights)[labels].sum())


def balanced_weights(images: ImageSet, classes: int) -> NDArray[np.float64]:
    """Return factors (classes,) under which every class counts the same, 1 on average over images.

    Args:
        images: every class has one or more.
        classes: how many.
    """
    counts = np.bincount(images.labels, minlength=classes)
    return len(images) / (classes * counts)


def named_weights(weights: Sequence[tuple[str, float]], names: Sequence[str]) -> list[float]:
    """Return factors in the order of class names; 1 for a class that has none.

    Raises:
        RecipeError: a weight of an unknown class.
    """
    found = dict(weights)
    if unknown := sorted(set(found) - set(names)):
        raise RecipeError(
            f"--class-weights: one of the {len(names)} classes expected ({few(names)}), found "
            f"{unknown[0]!r}"
        )
    return [found.get(name, 1.0) for name in names]


def read_weights(path: Path) -> tuple[tuple[str, float], ...]:
    """Read factors of classes from a TOML file of `"class name" = number` lines.

    Raises:
        RecipeError: no file, not TOML, or a factor that is no number above 0.
        OSError: the file cannot be opened.
    """
    if not path.exists():
        raise RecipeError(
            f"--class-weights {path}: balanced, or a TOML file of class names and factors, "
            "expected, found no such file"
        )
    weights = []
    for name, value in read_toml(path, RecipeError).items():
        if not is_number(value, below=float_info.max) or value <= 0:
            raise RecipeError(f"{path}: {name!r}: a number above 0 expected, found {value!r}")
        weights.append((name, float(value)))
    return tuple(weights)
