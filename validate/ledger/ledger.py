"""A ledger: every decision of a measurement on disk, image by image, so that a run can go on.

JSON lines. The first describes the measurement; each other one is an image. When all are there, the
first takes their checksum. A batch is appended in
one write and reaches the disk before the next one starts, so however the run ends, the file holds
whole batches, perhaps followed by part of one.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from resnext.differences import first_difference
from resnext.fields import COUNT_LIMIT, cut, is_whole, shown
from resnext.files import lock_file
from resnext.inference.plan import Plan
from validate.ledger.entries import Entry
from validate.ledger.stages import Stage, continued_by, stages_of
from validate.ledger.stored import (
    CHUNK,
    FORMAT,
    UNFINISHED,
    Kept,
    LedgerError,
    naming_file,
    parse,
    whole_batches,
)


class Ledger:
    """A ledger that is being written, by one process.

    Attributes:
        path: of the file.
        done: the entries of the whole batches that it held when it was opened.
        batches: how many they were.
        sizes: number of images in them by the size of their batches.
        stages: by whom and where they were decided, and those to come will be.
    """

    def __init__(self, path: Path, file: int, kept: Kept, coming: "_Coming") -> None:
        """Use the file that `open` has prepared.

        Args:
            path: of the file.
            file: its descriptor, at the end of its last whole batch.
            kept: what it holds.
            coming: what is to be said of the batches to come.
        """
        self.path = path
        self.done, self.batches, self.sizes = kept.entries, kept.batches, kept.sizes
        self.stages = coming.stages
        self._file = file
        self._other_size = coming.other_size
        self._continued = coming.continued

    def append(self, entries: Iterable[Entry]) -> None:
        """Add the entries of whole batches; they are on the disk when this function returns.

        Raises:
            OSError: the disk is full or fails; what was there stays.
        """
        entries = [*entries]
        if self._continued is not None and entries:
            entries[0] = replace(entries[0], continued=self._continued)
            self._continued = None
        if self._other_size is not None:
            entries = [replace(entry, batch_size=self._other_size) for entry in entries]
        lines = "".join(json.dumps(entry.to_fields()) + "\n" for entry in entries)
        with naming_file(self.path):
            _write(self._file, lines.encode())

    def finish(self) -> None:
        """Put the checksum of all lines into the first; one that is there already is checked.

        Nothing is done to a ledger that an earlier version began, without room for a checksum.

        Raises:
            LedgerError: the file was changed since it was finished.
            OSError: it cannot be written.
        """
        with naming_file(self.path):
            data = _read(self._file)
            stored = parse(data, self.path)
            if stored is None or stored.seal is None:
                return
            stored.check_seal()
            if not stored.seal.finished:
                place = data.index(UNFINISHED.encode())
                os.pwrite(self._file, stored.seal.found.encode(), place)
                os.fsync(self._file)

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        identity: Mapping[str, Any],
        plan: Plan,
        *,
        made: Mapping[str, Any] | None = None,
    ) -> Iterator[Self]:
        """Open a new ledger, or one of the same measurement to go on with, until the block ends.

        What stands behind its last whole batch is cut off, to be measured again. Batches may have
        another size than those before them, after memory ran out, say: each entry of theirs then
        states it. It may change the last bits of logits, as another machine may: the first entry
        from another than those before it states who made it, and where.

        Args:
            path: of the file.
            identity: describes the measurement, as JSON holds it; its settings may hold a
                `batch_size`.
            plan: of the images, none of them measured yet.
            made: by whom, when, where and from which files; a new ledger states it, one that goes
                on where it differs.

        Raises:
            LedgerError: no ledger, one of another measurement, one that is being written, no
                ordinary file, or no folder for it.
            OSError: the file cannot be opened or written.
        """
        if not path.parent.is_dir():
            raise LedgerError(f"{path}: the folder {path.parent} is missing; make it first")
        if path.is_dir():
            raise LedgerError(f"{path}: an ordinary file expected, found a folder; name another")
        with naming_file(path):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):  # a device may have no end
                raise LedgerError(
                    f"{path}: an ordinary file expected, found a device or a pipe; name another"
                )
            _lock(file, path)
            with naming_file(path):
                kept, coming = _continue(file, path, identity, plan, made or {})
            yield cls(path, file, kept, coming)
        finally:
            os.close(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """What is to be said of the batches to come.

    Attributes:
        stages: of the ledger, with the one to come where there are images left.
        other_size: of the batches, where the ledger began with another.
        continued: who goes on, where that is another than before.
    """

    stages: tuple[Stage, ...]
    other_size: int | None = None
    continued: Mapping[str, Any] | None = None


def _continue(
    file: int, path: Path, identity: Mapping[str, Any], plan: Plan, made: Mapping[str, Any]
) -> tuple[Kept, _Coming]:
    """Cut the file off after its last whole batch; return these and what is said of the next."""
    stored = parse(_read(file), path)
    if stored is None:
        os.ftruncate(file, 0)
        head = {
            "ledger": FORMAT,
            "sha256": UNFINISHED,
            **identity,
            **({"made": made} if made else {}),
        }
        _write(file, json.dumps(head).encode() + b"\n")
        _sync_folder(path.parent)
        return Kept(), _Coming(stages=stages_of(made, ()))
    here, _ = _compared(json.loads(json.dumps(identity)))  # tuples become lists
    there, size = _compared(stored.identity)
    if differs := first_difference(here, there):
        name = cut(differs.name)
        same = "versions" if name.startswith("versions") else "arguments"
        raise LedgerError(
            f"{path}: a ledger of another measurement: {name} is {differs.other} there and "
            f"{differs.one} here; use the same {same} to go on, or another --ledger"
        )
    size = plan.batch_size if size is None else size
    if not is_whole(size) or not 0 < int(size) < COUNT_LIMIT:
        raise LedgerError(
            f"{path}: line 1: a batch_size of 1 or more expected, found {shown(size)}; "
            "the file was damaged: remove it to measure anew"
        )
    kept = whole_batches(stored.entries, int(size), len(plan), path)
    os.ftruncate(file, stored.ends[len(kept.entries)])
    os.lseek(file, 0, os.SEEK_END)
    if stored.seal and stored.seal.finished and len(kept.entries) < len(plan):
        line = os.pread(file, stored.ends[0], 0)  # which states a checksum of more lines
        os.pwrite(file, UNFINISHED.encode(), line.index(stored.seal.stated.encode()))
    stages, continued = stages_of(stored.made, kept.entries), None
    if len(kept.entries) < len(plan):
        continued = continued_by(stages[-1].made, json.loads(json.dumps(made)))
    if continued is not None:
        coming = Stage(first=len(kept.entries) + 1, made=continued)
        stages = (*stages, coming) if kept.entries else (coming,)
    other_size = None if size == plan.batch_size else plan.batch_size
    return kept, _Coming(stages=stages, other_size=other_size, continued=continued)


def _compared(identity: Mapping[str, Any]) -> tuple[Mapping[str, Any], object]:
    """Return an identity without what may change: where the images came from, and a batch's size.

    The size is returned too. The images themselves are told by their checksum.
    """
    if isinstance(data := identity.get("data"), dict):
        others = {name: value for name, value in data.items() if name != "address"}
        identity = {**identity, "data": others}
    settings = identity.get("settings")
    if not isinstance(settings, dict):
        return identity, None
    others = {name: value for name, value in settings.items() if name != "batch_size"}
    return {**identity, "settings": others}, settings.get("batch_size")


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
