"""Random numbers that depend on what they are for and on nothing else.

Each use has a stream of its own, found by counting instead of by drawing: what a picture gets does
not depend on the number of processes, on who read the pictures before it, or on a run having been
cut off. There is no state to save but the seed and the place in the run.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Numbers(Protocol):
    """A source of random numbers.

    `uniform` lies between two bounds, `whole` includes both of its bounds, `order` is a permutation
    of the first so many whole numbers, `normal` is so many with mean 0 and a deviation.
    """

    def uniform(self, low: float, high: float) -> float: ...
    def whole(self, low: int, high: int) -> int: ...
    def order(self, count: int) -> Sequence[int]: ...
    def normal(self, count: int, deviation: float) -> Sequence[float]: ...


class Use(IntEnum):
    """What random numbers are for; the values are part of what a seed means."""

    SPLIT = 1
    ORDER = 2
    PICTURE = 3
    MIXUP = 4


def stream(seed: int, use: Use, epoch: int = 0, place: int = 0) -> np.random.Generator:
    """Return the generator of one use.

    The counter of Philox has 256 bits. The upper three words say what the numbers are for, so that
    streams meet only after 2**64 blocks of the lowest.

    Args:
        seed: >= 0, of the run.
        use: what the numbers are for.
        epoch: counted from 1; 0 where there is none.
        place: of a picture in the image set, or of a step in the epoch.
    """
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, place, epoch, use]))


class Drawn:
    """Random numbers of a generator."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float) -> float:
        """Return a number from [low, high)."""
        return float(self.generator.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from [low, high]."""
        return int(self.generator.integers(low, high, endpoint=True))

    def order(self, count: int) -> list[int]:
        """Return the numbers 0 to count - 1 in random order."""
        return [int(number) for number in self.generator.permutation(count)]

    def normal(self, count: int, deviation: float) -> list[float]:
        """Return normally distributed numbers with mean 0."""
        return [float(number) for number in self.generator.normal(0.0, deviation, count)]


def epoch_order(images: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the places (images,) int64 of all images, in the order of an epoch."""
    return stream(seed, Use.ORDER, epoch).permutation(images).astype(np.int64, copy=False)
