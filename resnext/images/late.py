"""Labelled images of which it is known how many there are, before it is known which."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resnext.images.image_set import ImageSet


class Parts(Protocol):
    """What is listed, part by part, when it has come.

    Attributes:
        classes: the number of classes that labels must be below; None for any.
        identity: the checksum of the stored parts.
    """

    classes: int | None

    @property
    def identity(self) -> str: ...

    def listed(self) -> ImageSet:
        """Return the set when all parts have come and were listed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LateImageSet(ImageSet):
    """Images in parts that are listed when they come.

    The id of an image is there when it is asked for, and may have to be waited for; its label is
    there as soon as its id was, and -1 before.

    Attributes:
        parts: lists them.
    """

    parts: Parts

    def digest(self) -> str:
        """Return the sha256 of the stored files, in hexadecimal; nothing is waited for."""
        return self.parts.identity

    def listed(self) -> ImageSet:
        """Wait for all parts, and return the set."""
        return self.parts.listed()

    def at(self, positions: NDArray[np.int64]) -> ImageSet:  # type: ignore[override]
        """Return the images at some positions (N,), when all parts have come."""
        return self.listed().at(positions)

    def below(self, classes: int) -> "LateImageSet":
        """Return the set, of which every label is checked, when it comes, to be below a number."""
        self.parts.classes = classes
        return self
