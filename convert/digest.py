"""The checksum of a file, computed beside whatever else is done with it."""

import hashlib
from concurrent.futures import Future
from pathlib import Path
from threading import Thread


def start_sha256(path: Path) -> Future[str]:
    """Start to compute a file's sha256 in a thread; its result is 64 hexadecimal digits.

    For a large file it takes longer than the whole conversion, on a core of its own. Only who asks
    for the result waits for it: a command that has failed ends at once.

    The result raises:
        OSError: the file cannot be read.
    """
    future: Future[str] = Future()
    Thread(target=_compute, args=(path, future), daemon=True).start()
    return future


def _compute(path: Path, future: Future[str]) -> None:
    try:
        with path.open("rb") as file:
            future.set_result(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        future.set_exception(error)
