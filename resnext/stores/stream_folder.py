"""The folder of a run that keeps no files: it goes with the run, or with the next one."""

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from resnext.files import lock_file, mark_unfinished

PREFIX: Final = ".stream."
BEGUN: Final = ".begun."  # until it is locked
LOCK: Final = ".lock"


def new_folder(cache: Path) -> tuple[Path, BinaryIO]:
    """Make a folder, and remove those of runs that were killed.

    Args:
        cache: the folder of downloads.

    Returns:
        The folder, and a file in it that is locked until it is closed or the process ends, whatever
        it ends of.

    Raises:
        OSError: the cache cannot be written.
    """
    for old in cache.glob(f"{PREFIX}*"):
        _remove_if_left(old)
    begun = Path(tempfile.mkdtemp(prefix=BEGUN, dir=cache))
    mark_unfinished(str(begun))
    lock = (begun / LOCK).open("wb")
    lock_file(lock.fileno(), by_process=False)
    folder = begun.rename(cache / begun.name.replace(BEGUN, PREFIX, 1))
    mark_unfinished(str(folder))
    return folder, lock


def _remove_if_left(folder: Path) -> None:
    """Remove a folder that no process holds; where there are no locks, none is removed."""
    try:
        with (folder / LOCK).open("r+b") as lock:
            if lock_file(lock.fileno(), by_process=False):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # it is locked, of another user, or gone meanwhile
        return
