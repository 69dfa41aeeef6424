"""Images stored as byte ranges of larger files."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.file_set import FileSet
from resnext.images.listing import check_stored, reading


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ByteRanges:
    """Images stored as byte ranges of larger files, such as members of a tar.

    A file is opened for each image and closed again, which costs little compared with decoding. So
    processes share no file position, and any number of files can be read.

    Attributes:
        paths: of the files.
        totals: sizes of the files when they were listed, in bytes.
        files: (N,) int32, index of the file that holds each image.
        offsets: (N,) int64, position of its first byte in the file.
        sizes: (N,) int64, its size in bytes.
        held: the files, where some of them have not come yet; None for files on this machine.
    """

    paths: tuple[str, ...]
    totals: tuple[int, ...]
    files: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    held: FileSet | None = None

    def read(self, position: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            DataError: they cannot be read, are more than any picture has, or the size of the file
                has changed.
        """
        number = self.files[position]
        path, size = self.paths[number], int(self.sizes[position])
        check_stored(size, path)
        if self.held is not None:
            source = self.held.at(int(number))
            if not isinstance(source, Path):
                with source:
                    source.seek(int(self.offsets[position]))
                    return source.read(size)
        with reading(), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - for each image
            total = os.fstat(file.fileno()).st_size
            data = os.pread(file.fileno(), size, int(self.offsets[position]))
        if total != self.totals[number] or len(data) != size:
            raise DataError(
                f"{path}: {self.totals[number]} bytes expected, found {total}; the file was "
                "changed while it was read"
            )
        return data

    def start(self, position: int, size: int) -> bytes:
        """Return the first bytes of an image, so many at most.

        Raises:
            DataError: they cannot be read.
        """
        size = min(size, int(self.sizes[position]))
        path = self.paths[self.files[position]]
        with reading(), open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return os.pread(file.fileno(), size, int(self.offsets[position]))

    def passed(self, position: int) -> None:
        """Take note that no image before this position is read any more."""
        if self.held is not None and position < len(self.files):
            self.held.passed(int(self.files[position]))

    def stamp(self) -> str:
        """Return a checksum of the offsets and sizes, which change if images do."""
        total = hashlib.sha256(np.array(self.totals, "<i8").data)
        for column in (self.files, self.offsets, self.sizes):
            total.update(np.ascontiguousarray(column, "<i8").data)
        return total.hexdigest()

    def chosen(self, positions: Sequence[int]) -> "ByteRanges":
        """Return some of the images.

        Args:
            positions: of the images, in the order that is wanted.
        """
        places = np.array(positions, np.int64)
        return ByteRanges(
            paths=self.paths,
            totals=self.totals,
            files=self.files[places],
            offsets=self.offsets[places],
            sizes=self.sizes[places],
            held=self.held,
        )
