"""An incomplete download on disk: its bytes, the version they belong to, and its lock."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from resnext.download.wanted import Wanted
from resnext.files import MOST_LETTERS, lock_file, unfinished

MOST_BYTES: Final = 230  # of a name that gets a dot and an ending: file systems take 255
# Bytes of a file that is not synchronised to the disk: of thousands each would take milliseconds.
SMALL: Final = 1 << 20


class Partial:
    """The first bytes of one version of a file, kept beside the target.

    Attributes:
        path: of the file with the bytes.
        version: that the bytes belong to; None where that is not known.
        lasts: whether a later run can resume it.
    """

    def __init__(self, path: Path, note: FileIO | None) -> None:
        """Take over what an earlier run left.

        Args:
            path: the file with the bytes; need not exist.
            note: open file that holds the version for a later run; None if no later run can resume.
        """
        self.path = path
        self.lasts = note is not None
        self._note = note
        self.version = _read_version(note) if note else None

    @property
    def done(self) -> int:
        """Return how many bytes have arrived."""
        return _length(self.path)

    @property
    def total(self) -> int | None:
        """Return the length that was stated with the version, in bytes."""
        return self.version.size if self.version else None

    def kept(self, wanted: Wanted) -> int:
        """Return how many of the bytes need not be asked for again."""
        version, done = self.version, self.done
        if version is None or version.validator is None or version.name != wanted.name:
            return 0
        if wanted.validator not in (None, version.validator):
            return 0
        if None not in (wanted.size, version.size) and wanted.size != version.size:
            return 0
        return done if version.size is None or done <= version.size else 0

    def begin(self, version: Wanted) -> None:
        """Start over with zero bytes, of this version."""
        # In this order, so that the bytes never stand beside the description of another version.
        self.path.open("wb").close()
        self.describe(version)

    def describe(self, version: Wanted) -> None:
        """Record the version that the bytes belong to."""
        fields = {"url": version.name, "validator": version.validator, "total": version.size}
        self._write(json.dumps(fields))
        self.version = version

    def drop(self) -> None:
        """Delete the bytes and the record of their version."""
        self.path.unlink(missing_ok=True)
        self._write("")
        self.version = None

    def finish(self, target: Path) -> None:
        """Rename the complete file to the target."""
        if self.done > SMALL:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
        self.path.replace(target)

    def _write(self, text: str) -> None:
        if self._note:
            if os.fstat(self._note.fileno()).st_size:
                self._note.truncate(0)  # ext4 brings a file that was to the disk when it is closed
            self._note.write(text.encode())


@contextmanager
def partial_of(target: Path, *, wait: Callable[[int], None]) -> Iterator[Partial]:
    """Open and lock the partial file of a target; a second process waits until it is released.

    The bytes are in `.NAME.part`, the version in `.NAME.part.json`, which is locked. Where there
    are no locks (Windows, some network file systems) each process writes a file of its own name,
    which a later run cannot resume.

    Args:
        target: path of the complete file.
        wait: called repeatedly with the number of bytes, while another process downloads.

    Raises:
        OSError: the folder is missing or read-only.
    """
    name = target.name
    if len(os.fsencode(name)) > MOST_BYTES:
        name = f"{name[:MOST_LETTERS]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    path = target.with_name(f".{name}.part")
    note_path = path.with_name(f"{path.name}.json")
    note = _open_locked(note_path, wait=lambda: wait(_length(path)))
    if note is None:
        name = name[:MOST_LETTERS]
        path = target.with_name(f".{name}.{os.urandom(4).hex()}.part")
        try:
            with unfinished(str(path)):
                yield Partial(path, None)
        finally:
            path.unlink(missing_ok=True)
        return
    with note:
        try:
            yield Partial(path, note)
        finally:
            # While the lock is held: afterwards these files may be another process's.
            if not _length(path):
                path.unlink(missing_ok=True)
                note_path.unlink(missing_ok=True)


def _open_locked(path: Path, *, wait: Callable[[], None]) -> FileIO | None:
    """Open and lock a file, created if it is missing; None where there are no locks."""
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("a+b", buffering=0))
            try:
                locked = lock_file(file.fileno(), by_process=False)
            except BlockingIOError:
                wait()
                continue
            if not locked:
                path.unlink(missing_ok=True)
                return None
            if _is_at(file, path):
                stack.pop_all()
                return file


def _is_at(file: FileIO, path: Path) -> bool:
    """Tell whether an open file is still at a path: the lock's last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read_version(note: FileIO) -> Wanted | None:
    note.seek(0)
    try:
        fields = json.loads(note.read())
    except ValueError:
        return None
    match fields:
        case {
            "url": str() as url,
            "validator": (str() | None) as validator,
            "total": (int() | None) as total,
        }:
            return Wanted(name=url, validator=validator, size=total)
        case _:
            return None
