"""Files: read within a bound, whatever they are, locked, and appearing whole or not at all."""

import errno
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import NamedTemporaryFile, mkdtemp
from typing import IO, BinaryIO, Final

from resnext.errors import ResnextError

KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
CHUNK: Final = 1 << 20  # bytes
POLL: Final = 200  # milliseconds

# Letters of a file's name in the name of its temporary file. A name has at most 255 bytes, which
# may be only 63 letters.
MOST_LETTERS: Final = 48
# Some network file systems and user-space file systems have no locks.
_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

# Files and folders of this process that are being written, for an end without a clean-up.
_unfinished: set[str] = set()


def open_plain(path: Path, error: type[ResnextError]) -> BinaryIO:
    """Open an ordinary file, whose parts can be read in any order and again.

    Raises:
        error: it is a pipe or a device; opening it might wait for ever.
        OSError: it cannot be opened.
    """
    kind = KINDS.get(stat.S_IFMT(path.stat().st_mode))
    if kind is not None:
        raise error(
            f"{path}: a file on disk expected, found {kind}; save what comes from there in a file, "
            "and name that"
        )
    return path.open("rb")


def read_once(path: Path, error: type[ResnextError], *, most: int, patience: float = 10) -> bytes:
    """Return all bytes of a text file or a pipe, which is opened once.

    Args:
        path: of the file.
        error: what is raised.
        most: bytes.
        patience: seconds to wait for somebody who writes to the pipe.

    Raises:
        error: there are more bytes, or nobody writes.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(kind):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - of a descriptor
        parts, size = [], 0
        if stat.S_ISFIFO(kind):
            parts.append(_first_byte(path, descriptor, error, patience))
        os.set_blocking(descriptor, True)
        while part := file.read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > most or (b"\0" in part and not stat.S_ISREG(kind)):
                found = "more" if size > most else "bytes that are no text"
                raise error(f"{path}: a text of at most {most} bytes expected, found {found}")
    return b"".join(parts)


def _first_byte(path: Path, descriptor: int, error: type[ResnextError], patience: float) -> bytes:
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
            raise error(f"{path}: a file expected, found a pipe to which nobody writes")


def remove_unfinished() -> None:
    """Remove what this process is writing and has not finished, where no block will end any more.

    Raises nothing: what cannot be removed stays.
    """
    for path in tuple(_unfinished):
        with suppress(OSError):
            if Path(path).is_dir():
                rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink()


def mark_unfinished(path: str) -> None:
    """Let `remove_unfinished` remove a hidden file or folder."""
    _unfinished.add(path)


@contextmanager
def unfinished(path: str) -> Iterator[None]:
    """Let `remove_unfinished` remove a hidden file or folder while the block writes it."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the name `path` only when the block ends without an error.

    It is written beside `path` under a hidden name, `.NAME.` and eight letters and `.part`, and
    removed on any error, Ctrl-C included. The data is not synchronised to the disk: a power cut may
    lose the file.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full; names `path`. An error
            over another file, raised in the block, keeps its name.
    """
    hidden = None
    try:
        prefix = f".{path.name[:MOST_LETTERS]}."
        with NamedTemporaryFile(
            dir=path.parent, prefix=prefix, suffix=".part", delete=False
        ) as file:
            hidden = file.name
            try:
                with unfinished(hidden):
                    yield file
                file.close()
                umask = os.umask(0)
                os.umask(umask)
                Path(hidden).chmod(0o666 & ~umask)
                Path(hidden).replace(path)
            except BaseException:
                Path(hidden).unlink(missing_ok=True)
                raise
    except OSError as error:
        # The user does not know the hidden name, and the error of a full disk has no name.
        ours = hidden is None or error.filename in (None, hidden)
        if ours and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def lock_file(file: int, *, by_process: bool) -> bool:
    """Lock a file without waiting; return False where the system or the file system has no locks.

    The system releases the lock when the process ends, whatever it ends of.

    Args:
        file: descriptor, open for writing.
        by_process: take a record lock, which belongs to this process: forked readers do not inherit
            it and hold it for some seconds longer than this process lives. It is released when any
            descriptor of the file is closed, and threads of a process do not exclude each other.
            Otherwise the lock belongs to the descriptor, and threads do exclude each other.

    Raises:
        BlockingIOError: the file is locked already.
        OSError: the file cannot be locked for another reason.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    lock = fcntl.lockf if by_process else fcntl.flock
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BlockingIOError(error.errno, error.strerror) from error
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Make a folder that gets the name `path` only if the block ends without an error.

    It is made beside `path` under a hidden name and removed on any error, Ctrl-C included. An
    existing folder is replaced at the very end, and restored if that fails.

    Raises:
        OSError: the parent is missing or read-only, or the disk is full; names `path`. An error
            over another file, raised in the block, keeps its name.
    """
    prefix = f".{path.name}."
    try:
        with _hidden_folder(path, prefix) as new:
            yield new
    except OSError as error:
        # The user does not know the hidden name.
        if error.errno is not None and prefix in str(error.filename or prefix):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def _hidden_folder(path: Path, prefix: str) -> Iterator[Path]:
    new = Path(mkdtemp(dir=path.parent, prefix=prefix, suffix=".part"))
    try:
        with unfinished(str(new)):
            yield new
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o777 & ~umask)
        if path.exists():
            _swap(new, path)
        else:
            new.rename(path)
    except BaseException:
        rmtree(new, ignore_errors=True)
        raise


def _swap(new: Path, path: Path) -> None:
    old = new.with_suffix(".old")
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    if old.is_symlink():
        old.unlink()
    else:
        rmtree(old)
