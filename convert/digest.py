"""The checksum of a file, computed beside whatever else is done with it."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path


def start_sha256(path: Path) -> Future[str]:
    """Start to compute a file's sha256 in a thread; its result is 64 hexadecimal digits.

    For a large file it takes longer than the whole conversion, on a core of its own.

    The result raises:
        OSError: the file cannot be read.
    """
    pool = ThreadPoolExecutor(1)
    future = pool.submit(_sha256, path)
    pool.shutdown(wait=False)
    return future


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
