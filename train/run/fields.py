"""Plain values out of a file, which may hold anything, against what they have to look like."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

# A kind of value, or a table of those in a table.
Shape = type | Mapping[str, Any]

# No count of anything is as high, and numpy takes no higher one.
MOST = 2**63


def check_shape(value: Any, shape: Shape, name: str) -> None:
    """Check that a value is of a kind, or a table that holds all that it should and nothing else.

    Args:
        value: as JSON was read.
        shape: int stands for counts, float for numbers that are finite.
        name: for messages.

    Raises:
        TypeError: it is not.
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping) or value.keys() != shape.keys():
            raise TypeError(f"{name}: a table of {', '.join(shape)} expected")
        for key, each in shape.items():
            check_shape(value[key], each, f"{name} {key}")
    elif shape is float:
        is_number = isinstance(value, float) and isfinite(value)
        if not is_number and (type(value) is not int or abs(value) >= MOST):
            raise TypeError(f"{name}: a finite number expected")
    elif type(value) is not shape or (type(value) is int and not 0 <= value < MOST):
        raise TypeError(f"{name}: a value of the kind {shape.__name__} expected")
