"""What a ledger holds: its first line, and an entry for each image."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from resnext.errors import ResnextError
from resnext.files import read_once
from validate.ledger.entries import Entry, EntryError

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
    with naming_file(path):
        data = read_once(path, LedgerError, most=LARGEST)
    return parse(data, path)


def parse(data: bytes, path: Path) -> Stored | None:
    """Return what the bytes of a ledger hold, as `read_ledger` does.

    Raises:
        LedgerError: it is no ledger, or is damaged elsewhere than at its end.
    """
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
    except EntryError as error:
        raise LedgerError(
            f"{path}: line {number}: an image's decisions expected, found {error}; "
            "the file was damaged: remove it to measure anew"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The whole batches at the start of a ledger."""

    entries: tuple[Entry, ...] = ()
    batches: int = 0
    sizes: Mapping[int, int] = field(default_factory=dict)


def whole_batches(entries: Sequence[Entry], usual: int, images: int, path: Path) -> Kept:
    """Return the whole batches at the start of a ledger.

    Args:
        entries: of the file.
        usual: size of batches whose entries state none.
        images: number of images of the measurement.
        path: for messages.
    """
    sizes: Counter[int] = Counter()
    batches = place = 0
    while place < min(len(entries), images):
        size = entries[place].batch_size or usual
        batch = entries[place : place + min(size, images - place)]
        if len(batch) < min(size, images - place):
            break
        if any(each.batch != batches or (each.batch_size or usual) != size for each in batch):
            raise LedgerError(
                f"{path}: batch {batches} expected from line {place + 2} on, found another; "
                "the file was damaged: remove it to measure anew"
            )
        sizes[size] += len(batch)
        place += len(batch)
        batches += 1
    return Kept(entries=tuple(entries[:place]), batches=batches, sizes=sizes)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_ledger(path: Path) -> str:
    return f"{path}: a ledger of resnext-validate expected, found something else; name another file"


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Give an `OSError` of the block the name of the file."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise
