"""A process that reads batches for the main process.

It needs no torch, so it may start before torch is imported, and does not share its memory. The main
process sends the positions of a batch over a socket; back come the facts about it, while its inputs
lie in memory that both processes map. The file of such memory comes over the same socket, once.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final

from resnext.errors import DataError, DownloadError
from resnext.images.names import brief
from resnext.loader.batch import Batch, collated
from resnext.loader.buffers import Borrowed, Buffer, BufferPool, memory_error, no_files
from resnext.loader.packing import Column, Packing
from resnext.loader.pictures import Pictures
from resnext.machine import keep_some_freed_memory

# A fork takes milliseconds as long as torch is not imported. Libraries of macOS do not bear it.
METHOD: Final = "fork" if sys.platform == "linux" else "spawn"
# Seconds in which a process whose socket is closed is gone.
PATIENCE: Final = 5.0
# Batches that are asked of a reader before its first one is waited for.
AHEAD: Final = 2
# What the system sends to a process for which there is no memory.
SIGKILL: Final = 9


class LostReaderError(DataError):
    """A process that reads has ended by itself."""


@dataclass(frozen=True, slots=True)
class _Column:
    """Where what one preparation made of a batch lies: in which buffer of the reader, and how."""

    packing: Packing
    place: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """A batch without its inputs, and where these are."""

    batch: Batch
    columns: tuple[_Column, ...]


class Reader:
    """A process that reads, as the main process sees it.

    Args:
        pictures: what it reads.
        kept: buffers of each preparation that it reuses; 0 if none is handed back.
        others: readers that were started before.
    """

    def __init__(self, pictures: Pictures, *, kept: int, others: Sequence["Reader"]) -> None:
        """Start it.

        Raises:
            OSError: the system has no file or no process left.
        """
        context: Any = multiprocessing.get_context(METHOD)
        self._connection, own = context.Pipe()
        self._listener = pictures.listener
        self._names = pictures.images.ids
        self._asked: deque[list[int]] = deque()
        self._buffers: dict[tuple[int, int], Buffer] = {}
        # A socket is closed when no process has its other end open, so a child keeps none of them.
        inherited = [*(each._connection for each in others), self._connection]
        closed = inherited if METHOD == "fork" else []
        self.process = context.Process(
            target=_serve, args=(own, closed, pictures, kept), daemon=True
        )
        try:
            self.process.start()
        except OSError:
            self._connection.close()
            raise
        finally:
            own.close()

    def ask(self, positions: list[int]) -> None:
        """Ask for a batch; answers come in the order of the questions.

        Raises:
            LostReaderError: the process has ended.
        """
        try:
            self._asked.append(positions)
            self._connection.send(positions)
        except OSError as error:
            if self._has_said_more():  # answers, the last of which is why it has ended
                return
            raise self._lost() from error

    def answer(self) -> Batch:
        """Wait for the next batch that was asked for, and return it.

        Raises:
            LostReaderError: the process has ended.
            DataError, DownloadError, OSError, MemoryError: what it raised.
        """
        try:
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if isinstance(answer, BaseException):
            raise answer
        inputs, lent = [], []
        for number, column in enumerate(answer.columns):
            if column.is_new:
                self._buffers[number, column.place] = self._received()
            buffer = self._buffers[number, column.place]
            inputs.append(column.packing.tensors(buffer.data))
            lent.append(buffer.taken)
        self._asked.popleft()
        found: Batch = replace(answer.batch, inputs=tuple(inputs), lent=tuple(lent))
        return found

    def kill(self) -> str:
        """End the process, and return what it has printed if it had crashed."""
        crashed = bool(self.process.exitcode)
        self.process.kill()  # it holds nothing but copies
        text = self._listener.rest() if crashed else b""
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        """Wait for the end of a process that was killed, and close what connected it.

        Nobody waits for an answer any more: two threads cannot wait for the end of one process.
        """
        self.process.join()
        with suppress(ValueError):  # a parent that ignores SIGCHLD: nobody knows how it ended
            self.process.close()
        self._connection.close()
        self._listener.close()

    def _received(self) -> Buffer:
        try:
            file = _receive_file(self._connection)
        except (EOFError, ConnectionError) as error:
            raise self._lost() from error
        except OSError as error:
            raise memory_error(error) from error
        if file is None:  # it came, and there is no descriptor left for it
            raise no_files()
        try:
            return Buffer.mapped(file)
        except OSError as error:
            raise memory_error(error) from error
        finally:
            os.close(file)

    def _has_said_more(self) -> bool:
        try:
            return bool(self._connection.poll())
        except OSError:
            return False

    def _lost(self) -> LostReaderError:
        self.process.join(PATIENCE)
        code = self.process.exitcode or 0
        if code in (0, -SIGKILL):
            return LostReaderError(
                "a process that reads images was killed, probably for want of memory; use a "
                "smaller --batch-size, or --workers 0"
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name
        first, last = (brief(self._names[self._asked[0][end]]) for end in (0, -1))
        return LostReaderError(
            f"a process that reads images has crashed ({how}) in its batch from {first} to {last}; "
            "one of these pictures may be damaged; a smaller --batch-size has fewer to look through"
        )


def _serve(
    connection: Connection, closed: Sequence[Connection], pictures: Pictures, kept: int
) -> None:
    """Answer until the main process closes its end, or is gone.

    Ctrl-C, and SIGTERM sent to the process group, are left to the main process, which ends this
    one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for each in closed:
        each.close()
    gc.freeze()  # a collection would write to, and so copy, the memory of the main process
    keep_some_freed_memory()
    pools = [BufferPool(kept) for _ in pictures.prepares]
    on_the_way: deque[list[int]] = deque([[]] * AHEAD)
    with suppress(EOFError, ConnectionError), pictures.listener.on():
        while True:
            positions = connection.recv()
            # It is asked for so many batches ahead, so what came before these has arrived. Systems
            # but Linux may lose a file that is closed earlier.
            for file in on_the_way.popleft():
                os.close(file)
            try:
                answer, files = _read(positions, pictures, pools)
            except (OSError, MemoryError, DataError, DownloadError) as error:
                connection.send(error)
                return
            connection.send(answer)
            for file in files:
                _send_file(connection, file)
            on_the_way.append(files)


def _send_file(connection: Connection, file: int) -> None:
    """Send an open file, with one byte that carries it.

    `multiprocessing.reduction` waits on macOS for an answer, which would be taken from the next
    question.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as sender:
        socket.send_fds(sender, [b"f"], [file])


def _receive_file(connection: Connection) -> int | None:
    """Return an open file; None if this process may not have another.

    Raises:
        EOFError: nothing comes any more.
        OSError: too many files are open for waiting.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as receiver:
        data, files, _, _ = socket.recv_fds(receiver, 1, 1)
    if not data:
        raise EOFError
    return files[0] if files else None


def _read(
    positions: list[int], pictures: Pictures, pools: Sequence[BufferPool]
) -> tuple[_Answer, list[int]]:
    """Return the answer for a batch, and the open files of its buffers that are new."""
    lent = [Borrowed(pool) for pool in pools]
    columns = [Column(len(positions), each.enlarge, usual=each.pool.usual) for each in lent]
    images = pictures.read_into(positions, columns)
    found, files = [], []
    for column, each in zip(columns, lent, strict=True):
        if not len(column):  # nothing was made of no image
            continue
        packing = column.finish()
        each.pool.usual = max(each.pool.usual, packing.size)
        assert each.loan is not None
        found.append(_Column(packing, each.loan.place, each.loan.file is not None))
        files += [] if each.loan.file is None else [each.loan.file]
    return _Answer(collated(images), tuple(found)), files
