"""One run at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resnext.file_lock import lock_file
from train.errors import StateError
from train.run.files import LOCK


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder until the block, or this process, ends.

    Args:
        folder: of the run; made if it is not there.

    Raises:
        StateError: another run is at work there.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            lock_file(file.fileno(), by_process=True)
        except BlockingIOError as error:
            raise StateError(
                f"{folder}: another run is at work there; wait for it, or give another --output"
            ) from error
        yield
