"""Arrays of several pictures as one, described before they are written anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.transforms import RawCrop


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """An array that consists of others, one behind another in memory.

    Attributes:
        dtype: of its numbers, as NumPy writes it.
        shape: size of each axis.
        parts: of a type that is converted without loss, and together of its size.
    """

    dtype: str
    shape: tuple[int, ...]
    parts: Sequence[NDArray[Any]]

    def write(self, array: NDArray[Any]) -> NDArray[Any]:
        """Write it to an array of its type and shape, C-contiguous, and return that."""
        np.concatenate([part.reshape(-1) for part in self.parts], out=array.reshape(-1))
        return array


def joined(crops: Sequence[RawCrop]) -> list[Joined]:
    """Return the arrays of `RawCrops`, in its order, for one or more pictures."""
    sizes = [each.pixels.size for each in crops]
    starts = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
    shapes = np.array([each.pixels.shape[:2] for each in crops], np.int64)
    taps = [each.rows for each in crops] + [each.columns for each in crops]
    lines = (2, len(crops), len(taps[0].fractions))
    return [
        Joined("uint8", (sum(sizes),), [each.pixels for each in crops]),
        Joined("int64", starts.shape, [starts]),
        Joined("int64", shapes.shape, [shapes]),
        Joined("int64", lines, [each.first for each in taps]),
        Joined("float32", lines, [each.fractions for each in taps]),
    ]
