"""A ledger: every decision of a measurement on disk, image by image, so that a run can go on.

JSON lines. The first describes the measurement; each other one is an image. A batch is appended in
one write and reaches the disk before the next one starts, so however the run ends, the file holds
whole batches, perhaps followed by part of one.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Self

from resnext.differences import first_difference
from resnext.errors import ResnextError
from resnext.file_lock import lock_file
from resnext.files import read_once
from resnext.inference.plan import Plan
from validate.ledger.entries import Entry

FORMAT: Final = "resnext ledger 1"
CHUNK: Final = 1 << 24  # bytes that are read at once
LARGEST: Final = 1 << 36  # bytes of a ledger, of a hundred million images or so
START: Final = b'{"ledger": '


class LedgerError(ResnextError):
    """A file that is no ledger, or one of another measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a ledger holds.

    Attributes:
        path: of the file.
        identity: what was measured, as the first line describes it.
        entries: of the images, in the order in which they were measured.
        ends: the byte behind the first line, and behind that of each entry.
    """

    path: Path
    identity: Mapping[str, Any]
    entries: tuple[Entry, ...]
    ends: tuple[int, ...]


def read_ledger(path: Path) -> Stored | None:
    """Return what a ledger holds up to its last whole line; None for a file without one.

    Raises:
        LedgerError: it is no ledger, has no end, or is damaged elsewhere than at its end.
        OSError: it cannot be read.
    """
    with _naming(path):
        data = read_once(path, LedgerError, most=LARGEST)
    return _parse(data, path)


def _parse(data: bytes, path: Path) -> Stored | None:
    *lines, _ = data.split(b"\n")  # what follows the last line's end is a piece of one
    if not lines:
        if not START.startswith(data[: len(START)]):
            raise LedgerError(_no_ledger(path))
        return None
    identity = _object(lines[0])
    if identity is None or identity.pop("ledger", None) != FORMAT:
        raise LedgerError(_no_ledger(path))
    return Stored(
        path=path,
        identity=identity,
        entries=tuple(_entry(line, path, number) for number, line in enumerate(lines[1:], 2)),
        ends=tuple(accumulate(len(line) + 1 for line in lines)),
    )


def _entry(line: bytes, path: Path, number: int) -> Entry:
    try:
        return Entry.from_fields(_object(line) or {})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LedgerError(
            f"{path}: line {number}: an image's decisions expected, found something else; "
            "the file was damaged: remove it to measure anew"
        ) from error


class Ledger:
    """A ledger that is being written, by one process."""

    def __init__(self, path: Path, file: int, done: tuple[Entry, ...], batches: int) -> None:
        """Use the file that `open` has prepared.

        Args:
            path: of the file.
            file: its descriptor, at the end of its last whole batch.
            done: the entries of those batches.
            batches: how many they are.
        """
        self.path = path
        self.file = file
        self.done = done
        self.batches = batches

    def append(self, entries: Iterable[Entry]) -> None:
        """Add the entries of whole batches; they are on the disk when this function returns.

        Raises:
            OSError: the disk is full or fails; what was there stays.
        """
        lines = "".join(json.dumps(entry.to_fields()) + "\n" for entry in entries)
        with _naming(self.path):
            _write(self.file, lines.encode())

    @classmethod
    @contextmanager
    def open(cls, path: Path, identity: Mapping[str, Any], plan: Plan) -> Iterator[Self]:
        """Open a new ledger, or one of the same measurement to go on with, until the block ends.

        What stands behind its last whole batch is cut off, to be measured again.

        Args:
            path: of the file.
            identity: describes the measurement, as JSON holds it.
            plan: of the images.

        Raises:
            LedgerError: no ledger, one of another measurement, one that is being written, no
                ordinary file, or no folder for it.
            OSError: the file cannot be opened or written.
        """
        if not path.parent.is_dir():
            raise LedgerError(f"{path}: the folder {path.parent} is missing; make it first")
        with _naming(path):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):  # a device may have no end
                raise LedgerError(
                    f"{path}: an ordinary file expected, found a device or a pipe; name another"
                )
            _lock(file, path)
            with _naming(path):
                done, batches = _continue(file, path, identity, plan)
            yield cls(path, file, done, batches)
        finally:
            os.close(file)


def _continue(
    file: int, path: Path, identity: Mapping[str, Any], plan: Plan
) -> tuple[tuple[Entry, ...], int]:
    """Cut the file off after its last whole batch; return its entries and number of batches."""
    stored = _parse(_read(file), path)
    if stored is None:
        os.ftruncate(file, 0)
        _write(file, json.dumps({"ledger": FORMAT, **identity}).encode() + b"\n")
        _sync_folder(path.parent)
        return (), 0
    here = json.loads(json.dumps(identity))  # tuples become lists, as in the file
    if differs := first_difference(here, stored.identity):
        same = "versions" if differs.name.startswith("versions") else "arguments"
        raise LedgerError(
            f"{path}: a ledger of another measurement: {differs.name} is {differs.other} there and "
            f"{differs.one} here; use the same {same} to go on, or another --ledger"
        )
    batches, whole = _whole_batches(stored.entries, plan, path)
    os.ftruncate(file, stored.ends[whole])
    os.lseek(file, 0, os.SEEK_END)
    return stored.entries[:whole], batches


def _whole_batches(entries: Sequence[Entry], plan: Plan, path: Path) -> tuple[int, int]:
    """Count the whole batches at the start of a ledger, and their images."""
    batches = place = 0
    while batches < plan.batches and place + plan.size(batches) <= len(entries):
        batch = entries[place : place + plan.size(batches)]
        if any(entry.batch != batches for entry in batch):
            raise LedgerError(
                f"{path}: batch {batches} expected from line {place + 2} on, found another; "
                "the file was damaged: remove it to measure anew"
            )
        place += len(batch)
        batches += 1
    return batches, place


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_ledger(path: Path) -> str:
    return f"{path}: a ledger of resnext-validate expected, found something else; name another file"


def _lock(file: int, path: Path) -> None:
    """Keep others from writing the ledger as long as this process lives."""
    try:
        lock_file(file, by_process=True)
    except BlockingIOError as error:
        raise LedgerError(f"{path}: another run is writing this ledger; wait for it") from error


def _read(file: int) -> bytes:
    """Return all bytes of a file, which stays open."""
    data = b""
    while part := os.pread(file, CHUNK, len(data)):
        data += part
    return data


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Make sure that the name of a new file is on the disk, too."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise
