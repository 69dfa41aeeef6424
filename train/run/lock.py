"""One run at a time in a folder."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.run.folder import LOCK, StateError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder until the block, or this process, ends.

    A record lock, because processes that read images would inherit the other kind and hold it for
    some seconds longer than this one lives.

    Args:
        folder: of the run; made if it is not there.

    Raises:
        StateError: another run is at work there.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise StateError(
                    f"{folder}: another run is at work there; wait for it, or give another --output"
                ) from error
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks
                raise
        yield
