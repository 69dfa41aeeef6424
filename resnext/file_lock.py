"""A lock on an open file, for as long as the file is open: one writer at a time."""

import errno
from typing import Final

# Some network file systems and user-space file systems have no locks.
_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


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
