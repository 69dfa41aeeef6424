"""A position in the bytes of a file: every read checks the bounds here, then advances."""

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from convert.source.errors import CutShortError
from convert.source.source import Array

Buffer = bytes | mmap


def map_file(path: Path) -> Buffer:
    """Return the bytes of a file, mapped and read-only.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        empty = file.seek(0, 2) == 0  # an empty file cannot be mapped
        return b"" if empty else mmap(file.fileno(), 0, access=ACCESS_READ)


class ByteCursor:
    """A reader of a part of some bytes, little-endian and unaligned.

    Args:
        data: the whole file.
        start, end: of the part, in bytes; `end` None is the end of the file.
    """

    def __init__(self, data: Buffer, *, start: int = 0, end: int | None = None) -> None:
        self.data, self.offset = data, start
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Return how many bytes follow."""
        return self.end - self.offset

    @property
    def where(self) -> str:
        """Return the position for messages."""
        return f"byte {self.offset}"

    def advance(self, count: int, what: str) -> int:
        """Advance over `count` bytes, at least 0; return their start.

        Raises:
            CutShortError: there are fewer.
        """
        if count > self.left:
            raise CutShortError(what, where=self.where, expected=count, found=self.left)
        start = self.offset
        self.offset += count
        return start

    def unpack(self, form: struct.Struct, what: str) -> int:
        """Read one number of a form of `struct`."""
        value: int = form.unpack_from(self.data, self.advance(form.size, what))[0]
        return value

    def raw(self, count: int, what: str) -> bytes:
        """Read `count` bytes, copied."""
        start = self.advance(count, what)
        return self.data[start : start + count]

    def view(self, dtype: np.dtype[np.generic], count: int, what: str) -> Array:
        """View `count` elements as a read-only array (count,)."""
        start = self.advance(count * dtype.itemsize, what)
        array = np.frombuffer(self.data, dtype, count, start)
        array.flags.writeable = False
        return array
