"""Memory for the batches of a reading process, which it shares with the main process and reuses."""

import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Bytes in front of the data, of which the first is the `taken` flag: the size of a cache line, so
# that the data is aligned for every type of number.
FRONT: Final = 64

# Buffers of a reading process: two batches are requested ahead of each, a third may be in use by
# the main process, and one is spare.
KEPT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory that processes share.

    Attributes:
        data: (bytes,) uint8.
        taken: (1,) uint8 in the same memory: 1 until the reader of the data hands it back.
    """

    data: NDArray[np.uint8]
    taken: NDArray[np.uint8]

    @classmethod
    def mapped(cls, file: int) -> "Buffer":
        """Return the memory of an open file, which may be closed then.

        Raises:
            OSError: too many files are open, or there is not enough address space.
        """
        whole = np.frombuffer(mmap.mmap(file, os.fstat(file).st_size), np.uint8)
        return cls(whole[FRONT:], whole[:1])


@dataclass(frozen=True, slots=True)
class Loan:
    """A buffer that is given away.

    Attributes:
        buffer: of the size that was asked for.
        place: of the buffer in its pool; one that is new there replaces the one before.
        file: of a buffer that is new, open; None if the buffer was given away before.
    """

    buffer: Buffer
    place: int
    file: int | None


class BufferPool:
    """The buffers of a reading process.

    New memory costs several times as much as copying into it, because the system allocates and
    clears each page. So the process that has used a buffer hands it back by clearing a flag in it,
    which takes no message.

    Args:
        kept: number of buffers, the newest, that are reused once they are handed back; 0 if no
            buffer is ever handed back.
    """

    def __init__(self, kept: int) -> None:
        self._kept: list[Buffer] = []
        self._most = kept
        self._oldest = 0

    def take(self, size: int) -> Loan:
        """Return a buffer of `size` bytes, uninitialised, that nobody else uses.

        Raises:
            OSError: there is not enough memory, or too many files are open.
        """
        free = [place for place, each in enumerate(self._kept) if not each.taken[0]]
        fitting = [place for place in free if len(self._kept[place].data) >= size]
        if fitting:
            place = min(fitting, key=lambda place: len(self._kept[place].data))
            found, file = self._kept[place], None
        else:
            file = _memory(FRONT + size)
            found = Buffer.mapped(file)
            place = self._keep(found, free)
        found.taken[0] = 1
        return Loan(Buffer(found.data[:size], found.taken), place, file)

    def _keep(self, buffer: Buffer, free: list[int]) -> int:
        """Keep a buffer, in place of a free one or of the oldest, and return its place."""
        if free:
            place = free[0]
        elif len(self._kept) < self._most:
            place = len(self._kept)
        else:
            place = self._oldest
            self._oldest = (place + 1) % max(self._most, 1)
        if self._most:
            self._kept[place : place + 1] = [buffer]
        return place


def _memory(size: int) -> int:
    """Return a new open file of so many bytes that lies in memory, where the system has such."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("resnext")  # which no /dev/shm limits
    else:
        with tempfile.TemporaryFile() as named:
            file = os.dup(named.fileno())
    try:
        os.ftruncate(file, size)
    except OSError:
        os.close(file)
        raise
    return file
