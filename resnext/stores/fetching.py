"""A file of a store as a source of bytes: its version is listed, and so may be its checksum."""

import hashlib
import io
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from resnext.download.completion import Progress, complete
from resnext.download.partial import Partial, Version
from resnext.download.retries import Patience
from resnext.errors import DownloadError
from resnext.files import MOST_LETTERS, unfinished
from resnext.stores.store import STORE_PATIENCE, Store, StoredFile, named, read_range

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
    if file.size > SMALL:
        complete(_Listed(store, file), target, progress=progress, patience=patience)
        return
    data = read_range(store, file, 0, file.size, patience=patience)
    _check(store, file, io.BytesIO(data))
    part = target.with_name(f".{target.name[:MOST_LETTERS]}.{os.urandom(4).hex()}.part")
    try:
        with unfinished(str(part)):
            part.write_bytes(data)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@dataclass(slots=True)
class _Listed:
    """A file that a store lists; a `Source`."""

    store: Store
    file: StoredFile
    version: Version = field(init=False)

    def __post_init__(self) -> None:
        self.version = Version(url=self.name, validator=self.file.version, total=self.size)

    @property
    def name(self) -> str:
        return named(self.store, self.file)

    @property
    def size(self) -> int:
        return self.file.size

    def is_at(self, path: Path) -> bool:
        return has_arrived(self.file, path)

    def resumes_at(self, part: Partial) -> int:
        """Return what has arrived; of a file without a version what came in this very call."""
        lasts = self.version.validator is not None
        same = part.version == self.version if lasts else part.version is self.version
        return part.done if same and part.done <= self.size else 0

    def pieces(self, part: Partial) -> Generator[bytes]:
        start = self.resumes_at(part)
        if not start:
            part.begin(self.version)
        yield from self.store.stream(self.file, start, self.size)

    def check(self, path: Path) -> None:
        with path.open("rb") as data:
            _check(self.store, self.file, data)


def _check(store: Store, file: StoredFile, data: BinaryIO) -> None:
    """Compare a complete file with the checksum that its store states, or else its version."""
    for kind, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if expected is None:
            continue
        new = partial(hashlib.new, kind, usedforsecurity=False)
        found = hashlib.file_digest(data, new).hexdigest()  # type: ignore[arg-type]
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
