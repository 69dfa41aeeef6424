"""Memory for the batches of a reading process, which it shares with the main process and reuses."""

import errno
import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError

# Bytes in front of the data, of which the first is the `taken` flag: the size of a cache line, so
# that the data is aligned for every type of number.
FRONT: Final = 64

# Buffers of a reading process: two batches are requested ahead of each, a third may be in use by
# the main process, and one is spare.
KEPT: Final = 4


def no_files() -> DataError:
    """Return the error for a process that may not open more files."""
    return DataError(
        "the batches that are read ahead take more files than this process may open (ulimit -n); "
        "use fewer --workers, or raise the limit"
    )


def memory_error(error: OSError) -> DataError:
    """Return the error for memory that the system does not give, in words for the user."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return no_files()
    if error.errno == errno.EAGAIN:  # of a fork
        return DataError(
            "there are as many processes as this user or container may have (ulimit -u); use fewer "
            "--workers, or raise the limit; --workers 0 starts none"
        )
    return DataError(
        "the batches that are read ahead do not fit in memory "
        f"({error.strerror or error}); use a smaller --batch-size or --workers; --workers 0 reads "
        "none ahead"
    )


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
        buffer: of at least the size that was asked for.
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

    Attributes:
        usual: bytes of a buffer that were used at most so far, as whoever uses them tells.

    Args:
        kept: number of buffers, the newest, that are reused once they are handed back; 0 if no
            buffer is ever handed back.
    """

    def __init__(self, kept: int) -> None:
        self.usual = 0
        self._kept: list[Buffer] = []
        self._most = kept
        self._oldest = 0

    def take(self, size: int) -> Loan:
        """Return a buffer of at least `size` bytes, uninitialised, that nobody else uses.

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
        return Loan(found, place, file)

    def enlarge(self, loan: Loan, size: int, used: int) -> Loan:
        """Return a larger buffer in place of one that was taken, with its first `used` bytes.

        Raises:
            OSError: there is not enough memory, or too many files are open.
        """
        file = _memory(FRONT + size)
        found = Buffer.mapped(file)
        found.taken[0] = 1
        found.data[:used] = loan.buffer.data[:used]
        if loan.file is not None:
            os.close(loan.file)
        if self._most:
            self._kept[loan.place] = found
        return Loan(found, loan.place, file)

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


class Borrowed:
    """What a column of a batch takes from a pool.

    Attributes:
        pool: which lends it.
        loan: the buffer that holds the column; None before there is one.
    """

    def __init__(self, pool: BufferPool) -> None:
        """Begin with none."""
        self.pool = pool
        self.loan: Loan | None = None

    def enlarge(self, size: int, used: int) -> NDArray[np.uint8]:
        """Return memory of at least `size` bytes, with the first `used` of what it was before.

        Raises:
            DataError: there is not enough memory, or too many files are open.
        """
        try:
            if self.loan is None:
                self.loan = self.pool.take(size)
            else:
                self.loan = self.pool.enlarge(self.loan, size, used)
        except OSError as error:
            raise memory_error(error) from error
        return self.loan.buffer.data


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
