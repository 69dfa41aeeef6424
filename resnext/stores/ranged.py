"""A file in a store as Python sees files: what is read of it is fetched, in blocks."""

import io
from collections import OrderedDict
from typing import Final

from resnext.stores.store import Store, StoredFile, read_range

BLOCK: Final = 1 << 16  # bytes that are fetched where a few are read
MOST_BLOCKS: Final = 256  # that are kept
TAIL: Final = 1 << 16  # bytes at the end that are fetched at once: where Parquet has its metadata


class RangedFile(io.RawIOBase):
    """A file of which parts are read without fetching all of it; read-only.

    Small reads are answered from blocks that are kept: the labels and names of pictures lie in
    thousands of small pieces close to each other.
    """

    def __init__(self, store: Store, file: StoredFile) -> None:
        """Fetch nothing yet."""
        super().__init__()
        self._store, self._file = store, file
        self._place = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._tail: tuple[int, bytes] | None = None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer at the end of the file."""
        if self.closed:
            raise ValueError("an open file expected, found a closed one")
        left = max(0, self._file.size - self._place)
        count = left if size is None or size < 0 else min(size, left)
        data = self._bytes(self._place, self._place + count)
        self._place += len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes; return how many there were."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _bytes(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if self._tail is None and end == self._file.size:
            first = max(0, min(start, end - TAIL))
            self._tail = (first, read_range(self._store, self._file, first, end))
        if self._tail is not None and start >= self._tail[0]:
            return self._tail[1][start - self._tail[0] : end - self._tail[0]]
        if end - start > BLOCK:
            return read_range(self._store, self._file, start, end)
        blocks = range(start // BLOCK, (end - 1) // BLOCK + 1)
        data = b"".join(map(self._block, blocks))
        first = blocks[0] * BLOCK
        return data[start - first : end - first]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            end = min((number + 1) * BLOCK, self._file.size)
            self._blocks[number] = read_range(self._store, self._file, number * BLOCK, end)
            if len(self._blocks) > MOST_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]
