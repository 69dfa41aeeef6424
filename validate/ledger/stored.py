"""What a ledger holds: its first line, and an entry for each image.

The first line of a finished ledger has a checksum: the sha256 of the whole file with zeros in place
of its own 64 digits, which stand there while it is not finished. It tells what was damaged or
changed by mistake; who wants to deceive can compute it anew.
"""

import hashlib
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
from resnext.fields import cut
from resnext.files import read_once
from validate.ledger.entries import Entry, EntryError
from validate.ledger.packing import LARGEST, unpacked
from validate.ledger.stages import Stage, stages_of

FAMILY: Final = "resnext ledger "
FORMAT: Final = FAMILY + "1"
CHUNK: Final = 1 << 24  # bytes that are read at once
START: Final = b'{"ledger": '
UNFINISHED: Final = "0" * 64  # in place of a checksum


class LedgerError(ResnextError):
    """A file that is no ledger, or one of another measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The checksum of a ledger, in hexadecimal.

    Attributes:
        stated: in its first line; `UNFINISHED` where the measurement has not come to its end.
        found: of the file as it is.
    """

    stated: str
    found: str

    @property
    def finished(self) -> bool:
        """Tell whether the measurement came to its end."""
        return self.stated != UNFINISHED

    @property
    def broken(self) -> bool:
        """Tell whether the file was changed since."""
        return self.finished and self.stated != self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a ledger holds.

    Attributes:
        path: of the file.
        identity: what was measured, as the first line describes it.
        entries: of the images, in the order in which they were measured.
        ends: the byte behind the first line, and behind that of each entry.
        made: by whom, when and from which files, as the first line says; a run that goes on may
            differ in these. Empty in ledgers of earlier versions.
        seal: the checksum; None in ledgers of earlier versions.
    """

    path: Path
    identity: Mapping[str, Any]
    entries: tuple[Entry, ...]
    ends: tuple[int, ...]
    made: Mapping[str, Any] = field(default_factory=dict)
    seal: Seal | None = None

    @property
    def numbered(self) -> bool:
        """Tell whether the names of its images are places in files, as they have no others."""
        return self.made.get("numbered") is True

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return by whom and where its parts were decided."""
        return stages_of(self.made, self.entries)

    def check_seal(self) -> None:
        """Check that a finished ledger is as it was.

        Raises:
            LedgerError: it was changed since.
        """
        if self.seal and self.seal.broken:
            raise LedgerError(
                f"{self.path}: the sha256 {self.seal.stated[:12]}... expected, as its first line "
                f"says, found {self.seal.found[:12]}...: the file was cut short or changed since "
                "it was finished; take the original, or measure anew"
            )


def read_ledger(path: Path) -> Stored | None:
    """Return what a ledger holds up to its last whole line; None for a file without one.

    Raises:
        LedgerError: it is no ledger, has no end, or is damaged elsewhere than at its end.
        PackingError: it is compressed, and cannot be unpacked.
        OSError: it cannot be read.
    """
    with naming_file(path):
        data = read_once(path, LedgerError, most=LARGEST)
    return parse(unpacked(data, path), path)


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
    kind = None if identity is None else identity.pop("ledger", None)
    if isinstance(kind, str) and kind.startswith(FAMILY) and kind != FORMAT:
        raise LedgerError(
            f"{path}: a ledger of resnext-validate expected, {FORMAT!r}, found {cut(kind)!r}, "
            "which another version wrote; read it with that one, or name another file"
        )
    if identity is None or kind != FORMAT:
        raise LedgerError(_no_ledger(path))
    stated, made = identity.pop("sha256", None), identity.pop("made", {})
    if not isinstance(made, dict) or not (stated is None or _is_checksum(stated)):
        raise LedgerError(
            f"{path}: line 1: a sha256, and a table of who made it, expected, found something "
            "else; the file was damaged"
        )
    return Stored(
        path=path,
        identity=identity,
        made=made,
        seal=None if stated is None else Seal(stated=stated, found=checksum(data, stated)),
        entries=tuple(_entry(line, path, number) for number, line in enumerate(lines[1:], 2)),
        ends=tuple(accumulate(len(line) + 1 for line in lines)),
    )


def checksum(data: bytes, stated: str) -> str:
    """Return the sha256 of a ledger with zeros in place of the digits that its first line states.

    Args:
        data: of the whole file.
        stated: these digits.
    """
    first, end, others = data.partition(b"\n")
    total = hashlib.sha256(first.replace(stated.encode(), UNFINISHED.encode(), 1))
    total.update(end)
    total.update(others)
    return total.hexdigest()


def _is_checksum(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _entry(line: bytes, path: Path, number: int) -> Entry:
    damaged = "the file was damaged: remove it to measure anew"
    where = f"{path}: line {number}: an image's decisions expected, found"
    fields = _object(line)
    if fields is None:
        raise LedgerError(f"{where} something that is no JSON object; {damaged}")
    try:
        return Entry.from_fields(fields)
    except EntryError as error:
        raise LedgerError(f"{where} {error}; {damaged}") from error


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
