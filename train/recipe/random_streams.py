"""Random numbers that depend on the seed and on what they are for, and on nothing else.

Each use has its own stream of a counter-based generator. The augmentation of an image therefore
does not depend on the number of processes, on the order in which images are read, or on whether the
run was interrupted, and no generator state has to be saved.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class RandomSource(Protocol):
    """The random numbers that augmentation draws; `GeneratorSource` says what each method returns.

    Tests replace it by the numbers that Torch7 drew.
    """

    def uniform(self, low: float, high: float) -> float: ...
    def whole(self, low: int, high: int) -> int: ...
    def order(self, count: int) -> Sequence[int]: ...
    def normal(self, count: int, deviation: float) -> Sequence[float]: ...


class StreamUse(IntEnum):
    """What random numbers are for. Changing a value would change what every seed gives."""

    SPLIT = 1
    ORDER = 2
    PICTURE = 3
    MIXUP = 4


def stream(seed: int, use: StreamUse, epoch: int = 0, place: int = 0) -> np.random.Generator:
    """Return the generator of one use.

    Philox has a counter of 256 bits. Its upper three 64-bit words identify the use, so that two
    streams overlap only after 2**64 blocks.

    Args:
        seed: of the run, >= 0.
        use: what the numbers are for.
        epoch: counted from 1; 0 where it does not matter.
        place: index of an image in its set, or of a step in its epoch.
    """
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, place, epoch, use]))


class GeneratorSource:
    """Random numbers from a NumPy generator."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return float(self.generator.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return int(self.generator.integers(low, high, endpoint=True))

    def order(self, count: int) -> list[int]:
        """Return a permutation of 0 ... count - 1."""
        return [int(number) for number in self.generator.permutation(count)]

    def normal(self, count: int, deviation: float) -> list[float]:
        """Return `count` normally distributed numbers of mean 0 and a standard deviation."""
        return [float(number) for number in self.generator.normal(0.0, deviation, count)]


def epoch_order(images: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the positions (images,) int64 of all images, in the order of an epoch."""
    return stream(seed, StreamUse.ORDER, epoch).permutation(images).astype(np.int64, copy=False)
