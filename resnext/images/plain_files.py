"""Files by what they are: ordinary ones, pipes, devices, and archives by their first bytes."""

import os
import select
import stat
import time
from pathlib import Path
from typing import BinaryIO, Final

from resnext.errors import DataError
from resnext.images.listing import reading

KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
CHUNK: Final = 1 << 20  # bytes
POLL: Final = 200  # milliseconds
BLOCK: Final = 512  # bytes of a block of a tar

# First bytes of compressed files, which may hold a tar whose members cannot be read one by one.
PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


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


def packing(path: Path) -> str | None:
    """Return the compression of a file by its first bytes; None if it is not compressed."""
    with reading(), open_plain(path) as file:
        return packing_of(file.read(8))


def packing_of(start: bytes) -> str | None:
    """Return the compression of a file that starts so; None if it is not compressed."""
    return next((name for magic, name in PACKED.items() if start.startswith(magic)), None)


def is_tar(path: Path) -> bool:
    """Tell whether a file is an uncompressed tar, by its suffix or its first header."""
    with reading(), open_plain(path) as file:
        return starts_tar(file.read(BLOCK), path)


def starts_tar(start: bytes, path: Path) -> bool:
    """Tell whether a file whose first block this is is an uncompressed tar."""
    if packing_of(start) is not None:
        return False
    return path.suffix == ".tar" or start[257:262] == b"ustar"


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
