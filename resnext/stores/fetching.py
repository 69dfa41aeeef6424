"""Fetch a file of a store whole: its version is listed, and so may be its checksum."""

import os
from collections.abc import Generator
from pathlib import Path

from resnext.download.completion import Progress, complete
from resnext.download.partial import Partial
from resnext.download.retries import Patience
from resnext.download.wanted import Wanted, WrongFileError, digest
from resnext.stores.store import STORE_PATIENCE, Store, StoredFile, named


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
) -> None:
    """Fetch a file, if it is not there yet; see `resnext.download.completion.complete`.

    Args:
        store: holds it.
        file: in the store.
        target: gets the file; its folder is made.
        progress: called with the bytes that have arrived.
        patience: of retries.

    Raises:
        DownloadError: it cannot be fetched, or is not the file that was listed.
        OSError: the target cannot be written.
    """
    if has_arrived(file, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # A file without a version may be resumed in this call, and in no later one.
    validator = file.version or os.urandom(8).hex()
    name = named(store, file)
    wanted = Wanted(name=name, size=file.size, sha256=file.sha256, validator=validator)

    def request(part: Partial, start: int) -> Generator[bytes]:
        if not start:
            part.begin(wanted)
            part.lasts &= file.version is not None
        if start < file.size:
            yield from store.stream(file, start, file.size)

    def check(path: Path) -> None:
        """Compare the md5 that the store states, or where no checksum tells it the version."""
        is_certain = file.sha256 is not None
        if file.md5 is not None and not is_certain:
            found = digest(path, "md5")
            is_certain = found == file.md5
            if not is_certain and store.states_md5(file):
                raise WrongFileError(wanted.found_digest("md5", file.md5, found))
        if not is_certain and not store.has_still(file):
            raise WrongFileError(
                f"{wanted.name}: the version that was listed expected, found another: it was "
                "replaced while it was fetched; run the same command again"
            )

    complete(wanted, request, target, progress=progress, patience=patience, check=check)
