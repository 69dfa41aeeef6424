"""A download that is not complete yet: its bytes, what they belong to, and its one writer."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from resnext.file_lock import lock_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of a file on a server.

    Attributes:
        url: where it is.
        validator: its strong ETag or Last-Modified; None means that nothing can be added to a
            beginning of it later, for the file may have changed meanwhile.
        total: its length in bytes, None where the server does not say.
    """

    url: str
    validator: str | None
    total: int | None


class Partial:
    """The beginning of one version of a file, kept beside the place where the whole will be.

    Attributes:
        path: holds the bytes.
        version: what they are the beginning of; None where that is not known.
        lasts: whether a later run will find it.
    """

    def __init__(self, path: Path, note: FileIO | None) -> None:
        """Take up what an earlier run left.

        Args:
            path: the file with the bytes; need not exist.
            note: holds the version for a later run; None where there will be none.
        """
        self.path = path
        self.lasts = note is not None
        self._note = note
        self.version = _read_version(note) if note else None

    @property
    def done(self) -> int:
        """Return how many bytes are there."""
        return _length(self.path)

    def begin(self, version: Version) -> None:
        """Go back to zero bytes, now of this version."""
        # In this order, so that no moment exists at which the bytes belong to another version.
        self.path.open("wb").close()
        self.describe(version)

    def describe(self, version: Version) -> None:
        """Say what the bytes are the beginning of."""
        self._write(json.dumps(asdict(version)))
        self.version = version

    def drop(self) -> None:
        """Forget the bytes and what they were."""
        self.path.unlink(missing_ok=True)
        self._write("")
        self.version = None

    def finish(self, target: Path) -> None:
        """Give the bytes their final name."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(target)

    def _write(self, text: str) -> None:
        if self._note:
            self._note.truncate(0)
            self._note.write(text.encode())


@contextmanager
def partial_of(target: Path, *, wait: Callable[[int], None]) -> Iterator[Partial]:
    """Hold the partial file of a target; a second process waits until it is let go.

    It is `.NAME.part`, and its version `.NAME.part.json`, whose lock is held meanwhile: the system
    lets go of it whatever the process dies of. Where there are no locks (Windows, some network file
    systems) each process works under a name of its own, and leaves nothing for a later run.

    Args:
        target: where the whole file will be.
        wait: called with the bytes that are there, again and again, while another process works.

    Raises:
        OSError: the folder is missing or read-only.
    """
    path = target.with_name(f".{target.name}.part")
    note_path = path.with_name(f"{path.name}.json")
    note = _open_locked(note_path, wait=lambda: wait(_length(path)))
    if note is None:
        path = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
        try:
            yield Partial(path, None)
        finally:
            path.unlink(missing_ok=True)
        return
    with note:
        try:
            yield Partial(path, note)
        finally:
            # Before the lock is gone: after it they may be another process's.
            if not _length(path):
                path.unlink(missing_ok=True)
                note_path.unlink(missing_ok=True)


def _open_locked(path: Path, *, wait: Callable[[], None]) -> FileIO | None:
    """Open a file for one holder alone, created where it is missing; None without locks."""
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
    """Tell whether an open file still has its name: whoever had the lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read_version(note: FileIO) -> Version | None:
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
            return Version(url=url, validator=validator, total=total)
        case _:
            return None
