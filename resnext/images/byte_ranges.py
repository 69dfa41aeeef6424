"""Images that are byte ranges of larger files."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.listing import reading


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ByteRanges:
    """Images that are byte ranges of larger files, such as members of a tar.

    A file is opened anew for each image, which costs little beside decoding it: so no process ever
    shares a position in a file with another, and any number of files can be read.

    Attributes:
        paths: of the files.
        totals: their sizes when they were listed, in bytes.
        files: (N,) int32, which of them holds each image.
        offsets: (N,) int64, its first byte there.
        sizes: (N,) int64, in bytes.
    """

    paths: tuple[str, ...]
    totals: tuple[int, ...]
    files: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def read(self, position: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            DataError: they cannot be read, or the file is not the one that was listed.
        """
        number = self.files[position]
        path, size = self.paths[number], int(self.sizes[position])
        with reading(), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - for each image
            total = os.fstat(file.fileno()).st_size
            data = os.pread(file.fileno(), size, int(self.offsets[position]))
        if total != self.totals[number] or len(data) != size:
            raise DataError(
                f"{path}: {self.totals[number]} bytes expected, found {total}; the file was "
                "changed while it was read"
            )
        return data

    def stamp(self) -> str:
        """Return a checksum of the places and sizes; other pictures have others."""
        total = hashlib.sha256(np.array(self.totals, "<i8").data)
        for column in (self.files, self.offsets, self.sizes):
            total.update(np.ascontiguousarray(column, "<i8").data)
        return total.hexdigest()

    def chosen(self, positions: Sequence[int]) -> "ByteRanges":
        """Return some of the images, in this order."""
        places = np.array(positions, np.int64)
        return ByteRanges(
            paths=self.paths,
            totals=self.totals,
            files=self.files[places],
            offsets=self.offsets[places],
            sizes=self.sizes[places],
        )
