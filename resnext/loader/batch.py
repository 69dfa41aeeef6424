"""Batches of network input, as worker processes make them of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.loader.library_warnings import Printed
from resnext.loader.packing import Input

if TYPE_CHECKING:
    from torch import Tensor

    from resnext.pixels.raw_crops import RawCrops

# Unreadable images that are named in one message.
NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An image that could not be read, decoded or prepared.

    Attributes:
        position: of the image in its set.
        reason: the error, in one line that names the image.
        printed: by libraries, about the image.
    """

    position: int
    reason: str
    printed: Printed = field(default_factory=Printed)


class UnreadableError(DataError):
    """Images that cannot be read.

    Attributes:
        failures: of these images, one or more.
    """

    def __init__(self, failures: Sequence[Failure]) -> None:
        """Name the first of them."""
        super().__init__(unreadable([failure.reason for failure in failures]))
        self.failures = tuple(failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """The time that worker processes spent, in seconds, summed over them."""

    reading: float = 0.0
    decoding: float = 0.0
    preparing: float = 0.0

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(
            reading=self.reading + other.reading,
            decoding=self.decoding + other.decoding,
            preparing=self.preparing + other.preparing,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """The network inputs of some images, in their order.

    Attributes:
        positions: (N,) int64, in the image set, of the images that could be read.
        inputs: for each preparation, (N, 3, crop, crop) or (N, crops, 3, crop, crop) float32, or
            raw crops that a device scales; empty if N is 0.
        failures: the other images of the batch.
        forms: position -> what is unusual about an image, such as "CMYK"; usual ones are left out.
        seconds: spent on this batch by the process that read it.
        printed: position -> what libraries printed about an image; images without are left out.
        lent: the `taken` flags of the buffers that hold the inputs, if they have to be handed back.
    """

    positions: NDArray[np.int64]
    inputs: "tuple[Tensor | RawCrops, ...]"
    failures: tuple[Failure, ...]
    forms: Mapping[int, str]
    seconds: Seconds
    printed: Mapping[int, Printed] = field(default_factory=dict)
    lent: tuple[NDArray[np.uint8], ...] = ()

    def tensor(self, way: int = 0) -> "Tensor":
        """Return the inputs of a preparation that does not leave the scaling to a device."""
        from torch import Tensor

        inputs = self.inputs[way]
        assert isinstance(inputs, Tensor)
        return inputs

    def pin_memory(self) -> "Batch":
        """Return a copy in pinned memory, whose buffers are handed back."""
        pinned = tuple(inputs.pin_memory() for inputs in self.inputs)
        self.hand_back()
        return replace(self, inputs=pinned, lent=())

    def hand_back(self) -> None:
        """Allow the process that read the batch to reuse the memory of its inputs."""
        for taken in self.lent:
            taken[0] = 0


def check_readable(failures: Sequence[Failure]) -> None:
    """Refuse a batch with images that could not be read.

    Raises:
        UnreadableError: names them.
    """
    if failures:
        raise UnreadableError(failures)


def unreadable(reasons: Sequence[str]) -> str:
    """Name the first images that could not be read, and count them."""
    more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    named = "; ".join(reasons[:NAMED])
    return (
        f"{len(reasons)} of the images cannot be read, and none is left out silently: {named}{more}"
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """The network inputs of one image.

    Attributes:
        position: of the image in its set.
        inputs: of each preparation, an array float32 or a raw crop.
        form: what is unusual about the image; None if nothing is.
        seconds: spent on it.
        printed: by libraries, about the image.
    """

    position: int
    inputs: tuple[Input, ...]
    form: str | None
    seconds: Seconds
    printed: Printed = field(default_factory=Printed)


def collated(images: Sequence[Sample | Failure]) -> Batch:
    """Return the batch of some images without its inputs."""
    good = [image for image in images if isinstance(image, Sample)]
    return Batch(
        positions=np.array([sample.position for sample in good], np.int64),
        inputs=(),
        failures=tuple(image for image in images if isinstance(image, Failure)),
        forms={sample.position: sample.form for sample in good if sample.form},
        seconds=sum((sample.seconds for sample in good), Seconds()),
        printed={image.position: image.printed for image in images if image.printed.lines},
    )
