"""Images in a fixed order, with labels or without, independent of how they are stored."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.file_set import ReadOnce
from resnext.images.names import Names, difference, few, normal
from resnext.pixels.decoding import Picture, decode_picture


class ImageReader(Protocol):
    """Reads the stored bytes of images; picklable, and usable in a forked process.

    `read` returns the bytes of the image at a position, and raises `DataError` if they cannot be
    read. `stamp` returns a short text that changes when the stored bytes change; it may be derived
    from names, sizes and times, without reading the images.
    """

    def read(self, position: int) -> bytes: ...
    def stamp(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetReader:
    """Reads a subset of the images of another reader.

    Attributes:
        reader: of all images.
        positions: (N,) int64, of the images of the subset.
    """

    reader: ImageReader
    positions: NDArray[np.int64]

    def read(self, position: int) -> bytes:
        """Return the bytes of the image at a position in the subset."""
        return self.reader.read(int(self.positions[position]))

    def passed(self, position: int) -> None:
        """Take note that no image before this position of the subset is read any more."""
        if isinstance(self.reader, ReadOnce) and position < len(self.positions):
            self.reader.passed(int(self.positions[position:].min()))

    def stamp(self) -> str:
        """Return the stamp of all images; the ids of the subset tell which of them it has."""
        return self.reader.stamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedReader:
    """Reads the images of several readers, those of the first before those of the second.

    Attributes:
        readers: one or more.
        ends: (R,) int64, for each reader the number of images up to its last one.
    """

    readers: tuple[ImageReader, ...]
    ends: NDArray[np.int64]

    def read(self, position: int) -> bytes:
        """Return the bytes of the image at a position among all."""
        which = int(np.searchsorted(self.ends, position, side="right"))
        return self.readers[which].read(position - self._before(which))

    def passed(self, position: int) -> None:
        """Take note that no image before this position among all is read any more."""
        which = int(np.searchsorted(self.ends, position, side="right"))
        if which < len(self.readers) and isinstance(reader := self.readers[which], ReadOnce):
            reader.passed(position - self._before(which))

    def _before(self, which: int) -> int:
        return int(self.ends[which - 1]) if which else 0

    def stamp(self) -> str:
        """Return a checksum of the readers' stamps."""
        stamps = (reader.stamp() for reader in self.readers)
        return hashlib.sha256("\0".join(stamps).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureSet:
    """Images in a fixed order.

    Attributes:
        root: the folder or file that holds the images, or the pattern or name that was given.
        ids: N names.
        reader: returns the stored bytes of the image at a position.
        decode: turns stored bytes into pixels; picklable.
        notes: what a user should know about how the set was read, one sentence each.
    """

    root: str
    ids: Sequence[str]
    reader: ImageReader
    decode: Callable[[bytes], Picture] = decode_picture
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageSet(PictureSet):
    """Labelled images in a fixed order, with ids that are unique, and the same on every system.

    Attributes:
        labels: (N,) int64 class indices from 0.
        classes: names of the classes in the order of the labels, including those without images;
            None if the set has numbers only.
        numbered: the ids end in places in files, as the images have no names.
    """

    labels: NDArray[np.int64]
    classes: tuple[str, ...] | None
    numbered: bool = False

    def digest(self) -> str:
        """Return the sha256 of ids, labels and the reader's stamp, in hexadecimal."""
        total = hashlib.sha256("\0".join(self.ids).encode("utf-8", "surrogateescape"))
        total.update(np.ascontiguousarray(self.labels, "<i8").data)
        total.update(self.reader.stamp().encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def at(self, positions: NDArray[np.int64]) -> Self:
        """Return the images at some positions (N,) of the set, in this order."""
        return replace(
            self,
            ids=Names(self.ids[int(position)] for position in positions),
            labels=self.labels[positions],
            reader=SubsetReader(reader=self.reader, positions=positions),
        )

    def renamed(self, names: Sequence[str]) -> Self:
        """Return the set with its classes numbered by their places in another list of names.

        Args:
            names: of all classes, in the order of the new labels. Accents may be stored in
                another form.

        Raises:
            DataError: a class of the set is not among them, or the set has no class names.
        """
        if self.classes is None:
            raise DataError(f"{self.root}: class names expected, found numbers only")
        composed = Counter(map(normal, names))
        places = {
            normal(name): label for label, name in enumerate(names) if composed[normal(name)] == 1
        }
        places |= {name: label for label, name in enumerate(names)}
        found = [places.get(name, places.get(normal(name))) for name in self.classes]
        unknown = [name for name, place in zip(self.classes, found, strict=True) if place is None]
        if unknown:
            raise DataError(
                f"{self.root}: the {len(names)} classes of the network expected, {few(names)}, "
                f"found others: {few(unknown)}{difference(unknown[0], names)}"
            )
        table = np.array(found, np.int64)
        if len(np.unique(table)) < len(table):
            raise DataError(
                f"{self.root}: one folder for each class expected, found two whose names differ in "
                "the form of their accents only; put their images together"
            )
        return replace(self, labels=table[self.labels], classes=tuple(names))
