"""Class weights: the factor of each class in the loss."""

from collections.abc import Sequence
from pathlib import Path
from sys import float_info

import numpy as np
from numpy.typing import NDArray

from resnext.fields import is_number, read_toml, shown
from resnext.images.image_set import ImageSet
from resnext.images.names import few
from train.recipe.recipe import RecipeError


def total_weight(labels: NDArray[np.int64], weights: Sequence[float] | None) -> float:
    """Return the sum of the weights of some images, by which the sum of their losses is divided.

    Args:
        labels: (N,) of the images.
        weights: factor of each class; None weighs all equally.
    """
    if weights is None:
        return float(len(labels))
    return float(np.asarray(weights)[labels].sum())


def balanced_weights(images: ImageSet, classes: int) -> NDArray[np.float64]:
    """Return factors (classes,) that give every class the same weight; their mean over images is 1.

    Args:
        images: one or more of every class.
        classes: number of classes.
    """
    counts = np.bincount(images.labels, minlength=classes)
    return len(images) / (classes * counts)


def named_weights(weights: Sequence[tuple[str, float]], names: Sequence[str]) -> list[float]:
    """Return factors in the order of class names; 1 for a class without a weight.

    Raises:
        RecipeError: a weight is given for an unknown class.
    """
    found = dict(weights)
    if unknown := sorted(set(found) - set(names)):
        raise RecipeError(
            f"--class-weights: one of the {len(names)} classes expected ({few(names)}), found "
            f"{unknown[0]!r}"
        )
    return [found.get(name, 1.0) for name in names]


def read_weights(path: Path) -> tuple[tuple[str, float], ...]:
    """Read the factors of classes from a TOML file of `"class name" = number` lines.

    Raises:
        RecipeError: there is no such file, it is not TOML, or a factor is not a number above 0.
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
            raise RecipeError(
                f"{path}: {shown(name)}: a number above 0 expected, found {shown(value)}"
            )
        weights.append((name, float(value)))
    return tuple(weights)
