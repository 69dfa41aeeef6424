"""Batches of network input, as worker processes make them of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.errors import DataError
from resnext.loader.buffers import BufferPool
from resnext.loader.library_warnings import Printed
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import RawCrop

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
        raw
            crops that a device scales; empty if N is 0.
        failures: the other images of the batch.
        forms: position -> what is unusual about an image, such as "CMYK"; usual ones are left out.
        seconds: spent on this batch by the process that read it.
        printed: position -> what libraries printed about an image; images without are left out.
        lent: the `taken` flags of the buffers that hold the inputs, if they have to be handed back.
    """

    positions: NDArray[np.int64]
    inputs: tuple[Tensor | RawCrops, ...]
    failures: tuple[Failure, ...]
    forms: Mapping[int, str]
    seconds: Seconds
    printed: Mapping[int, Printed] = field(default_factory=dict)
    lent: tuple[Tensor, ...] = ()

    def tensor(self, way: int = 0) -> Tensor:
        """Return the inputs of a preparation that does not leave the scaling to a device."""
        inputs = self.inputs[way]
        assert isinstance(inputs, Tensor)
        return inputs

    def pin_memory(self) -> "Batch":
        """Return a copy in pinned memory; PyTorch's loader calls this."""
        pinned = tuple(inputs.pin_memory() for inputs in self.inputs)
        self.hand_back()
        return replace(self, inputs=pinned, lent=())

    def hand_back(self) -> None:
        """Allow the process that read the batch to reuse the memory of its inputs."""
        for taken in self.lent:
            taken.fill_(0)


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
    inputs: tuple[NDArray[np.float32] | RawCrop, ...]
    form: str | None
    seconds: Seconds
    printed: Printed = field(default_factory=Printed)


@dataclass(frozen=True, slots=True)
class Collation:
    """Puts what was made of images together to a batch.

    Attributes:
        pools: of the buffers for what each way to prepare gives; none where the batch stays in the
            process that reads it.
    """

    pools: tuple[BufferPool, ...] = ()

    def __call__(self, images: Sequence[Sample | Failure]) -> Batch:
        """Return the batch of one or more images."""
        good = [image for image in images if isinstance(image, Sample)]
        inputs: list[Tensor | RawCrops] = []
        lent: list[Tensor] = []
        for way, column in enumerate(zip(*(sample.inputs for sample in good), strict=True)):
            size = _size(column)
            if self.pools:
                buffer = self.pools[way].take(size)
                lent.append(buffer.taken)
                # Shared here, where an error can be raised: one on the way to the main process
                # would be lost, and the main process would wait for the batch forever.
                inputs.append(_together(column, buffer.data).share_memory_())
            else:
                inputs.append(_together(column, torch.empty(size, dtype=torch.uint8)))
        return Batch(
            positions=np.array([sample.position for sample in good], np.int64),
            inputs=tuple(inputs),
            failures=tuple(image for image in images if isinstance(image, Failure)),
            forms={sample.position: sample.form for sample in good if sample.form},
            seconds=sum((sample.seconds for sample in good), Seconds()),
            printed={image.position: image.printed for image in images if image.printed.lines},
            lent=tuple(lent),
        )


def _size(column: Sequence[NDArray[np.float32] | RawCrop]) -> int:
    """Return the size in bytes of what is written to a buffer."""
    arrays = (each.pixels if isinstance(each, RawCrop) else each for each in column)
    return sum(array.nbytes for array in arrays)


def _together(column: Sequence[NDArray[np.float32] | RawCrop], flat: Tensor) -> Tensor | RawCrops:
    crops = [each for each in column if isinstance(each, RawCrop)]
    if crops:
        return RawCrops.of(crops, flat)
    arrays = [each for each in column if isinstance(each, np.ndarray)]
    inputs = flat.view(torch.float32).view(len(arrays), *arrays[0].shape)
    np.stack(arrays, out=inputs.numpy())
    return inputs
