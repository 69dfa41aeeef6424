"""Files that end: pipes and devices are told apart, and a pipe is read once."""

import os
import select
import stat
import time
from pathlib import Path
from typing import BinaryIO, Final

from resnext.errors import DataError

KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
CHUNK: Final = 1 << 20  # bytes
POLL: Final = 200  # milliseconds


def open_plain(path: Path) -> BinaryIO:
    """Open an ordinary file, whose parts can be read in any order and again.

    Raises:
        DataError: it is a pipe or a device; opening it might wait for ever.
        OSError: it cannot be opened.
    """
    kind = KINDS.get(stat.S_IFMT(path.stat().st_mode))
    if kind is not None:
        raise DataError(
            f"{path}: a file on disk expected, found {kind}; save what comes from there in a file, "
            "and name that"
        )
    return path.open("rb")


def read_once(path: Path, *, most: int, patience: float = 10) -> bytes:
    """Return all bytes of a file or a pipe, which is opened once.

    Args:
        path: of the file.
        most: bytes.
        patience: seconds to wait for somebody who writes to the pipe.

    Raises:
        DataError: there are more bytes, or nobody writes.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - of a descriptor
        parts, size = [], 0
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            parts.append(_first_byte(path, descriptor, patience))
            os.set_blocking(descriptor, True)
        while part := file.read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > most or (b"\0" in part and not stat.S_ISREG(os.fstat(descriptor).st_mode)):
                raise DataError(
                    f"{path}: a text of at most {most} bytes expected, found no end of it, or no "
                    "text"
                )
    return b"".join(parts)


def _first_byte(path: Path, descriptor: int, patience: float) -> bytes:
    """Wait until a pipe has a byte, which is returned, or has ended."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    end = time.monotonic() + patience
    while True:
        is_ready = waiting.poll(POLL)
        try:
            byte = os.read(descriptor, 1)
        except BlockingIOError:  # somebody has opened it, and has not written yet
            continue
        if byte or is_ready:
            return byte
        if time.monotonic() > end:
            raise DataError(f"{path}: a file expected, found a pipe to which nobody writes")
