"""Fetch a file of a store whole: it is resumed, and is there when it is complete and right."""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from resnext.download.partial import Partial, Version, partial_of
from resnext.download.retries import Patience, TryAgainError, patiently
from resnext.download.transfer import Progress
from resnext.errors import DownloadError
from resnext.files import MOST_LETTERS, unfinished
from resnext.stores.store import STORE_PATIENCE, Store, StoredFile, named, read_range

POLL: Final = 0.2  # seconds
SMALL: Final = 1 << 20  # bytes of a file that is fetched at once, and not resumed


def has_arrived(file: StoredFile, target: Path) -> bool:
    """Tell whether a file lies at a target already, which only a complete one does."""
    return target.is_file() and target.stat().st_size == file.size


def fetch_file(
    store: Store,
    file: StoredFile,
    target: Path,
    *,
    progress: Progress = lambda _done, _total: None,
    patience: Patience = STORE_PATIENCE,
    goes_on: Callable[[], bool] = lambda: True,
) -> None:
    """Fetch a file, if it is not there yet.

    What has arrived when a fetch is broken off stays beside the target for the next one. Any number
    of threads and processes may fetch the same file: the first does, the others wait.

    Args:
        store: holds it.
        file: in the store.
        target: gets the file; its folder is made.
        progress: called with the bytes that have arrived.
        patience: of retries.
        goes_on: asked now and then; the fetch ends without the file where it says no.

    Raises:
        DownloadError: it cannot be fetched, or is not the file that was listed.
        OSError: the target cannot be written.
    """
    if has_arrived(file, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.size <= SMALL:
        _fetch_small(store, file, target)
        return

    def wait(done: int) -> None:
        progress(done, file.size)
        patience.sleep(POLL)

    with partial_of(target, wait=wait) as part:
        if has_arrived(file, target):  # another process brought it meanwhile
            return
        version = Version(url=named(store, file), validator=file.version, total=file.size)
        if file.version is None or part.version != version or part.done > file.size:
            part.begin(version)
        if _complete(store, file, part, progress, patience, goes_on):
            try:
                _check(store, file, part.path)
            except DownloadError:
                part.drop()
                raise
            part.finish(target)


def _fetch_small(store: Store, file: StoredFile, target: Path) -> None:
    data = read_range(store, file, 0, file.size)
    part = target.with_name(f".{target.name[:MOST_LETTERS]}.{os.urandom(4).hex()}.part")
    try:
        with unfinished(str(part)):
            part.write_bytes(data)
            _check(store, file, part)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _complete(
    store: Store,
    file: StoredFile,
    part: Partial,
    progress: Progress,
    patience: Patience,
    goes_on: Callable[[], bool],
) -> bool:
    """Fetch what is missing; return whether the file is complete."""

    def once() -> bool:
        return _append(store, file, part, progress, goes_on)

    progress(part.done, file.size)
    if part.done == file.size:
        return True
    return patiently(once, patience=patience, done=lambda: part.done)


def _append(
    store: Store,
    file: StoredFile,
    part: Partial,
    progress: Progress,
    goes_on: Callable[[], bool],
) -> bool:
    """Append what one request brings; return False where it was told to end."""
    done = part.done
    with part.path.open("ab", buffering=0) as out:
        for piece in store.stream(file, done, file.size):
            out.write(piece)
            done += len(piece)
            progress(done, file.size)
            if done > file.size:
                break
            if not goes_on():
                return False
    if done > file.size:
        part.drop()
        raise DownloadError(
            f"{named(store, file)}: {file.size} bytes expected, more are sent; it is another file"
        )
    if done < file.size:
        raise TryAgainError(
            f"{named(store, file)}: the connection was closed at byte {done} of {file.size}"
        )
    return True


def _check(store: Store, file: StoredFile, path: Path) -> None:
    """Compare a complete file with the checksum that its store states, or else its version."""
    for kind, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if expected is None:
            continue
        with path.open("rb") as data:
            new = partial(hashlib.new, kind, usedforsecurity=False)
            found = hashlib.file_digest(data, new).hexdigest()
        if found == expected:
            return
        if kind != "md5" or store.states_md5(file):
            raise DownloadError(
                f"{named(store, file)}: {kind} {expected} expected, found {found}; it was damaged "
                "on the way, or replaced; run the same command again"
            )
    if not store.has_still(file):
        raise DownloadError(
            f"{named(store, file)}: the version that was listed expected, found another: it was "
            "replaced while it was fetched; run the same command again"
        )
