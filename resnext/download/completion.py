"""A file that comes in pieces: resumed, paced and checked; it appears whole or not at all."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

from resnext.download.pace import TooSlowError
from resnext.download.partial import Partial, partial_of
from resnext.download.retries import Patience, TryAgainError, patiently
from resnext.errors import DownloadError

# Called with the bytes that have arrived and the size of the file, None where that is not known.
Progress = Callable[[int, int | None], None]

CHUNK: Final = 1 << 16  # bytes; at most this much is lost when the process is killed
POLL: Final = 0.2  # seconds
HINT: Final = "a path to a copy on disk always works"


class Source(Protocol):
    """Where a file comes from, and what is known of it.

    Attributes:
        name: its address, without secrets.
        size: in bytes, None if it is not known.
    """

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    def is_at(self, path: Path) -> bool:
        """Tell whether the file lies at a path, as far as its size and checksum are known."""

    def resumes_at(self, part: Partial) -> int:
        """Return how many bytes of a partial file need not be asked for again."""

    def pieces(self, part: Partial) -> Generator[bytes]:
        """Ask once for what is missing, and yield it as it comes.

        The partial file is begun anew, before the first piece, where it cannot be continued.

        Raises:
            TryAgainError: a retry may help.
            DownloadError: none will.
        """

    def check(self, path: Path) -> None:
        """Raise a DownloadError if a complete file is not the expected one."""


def complete(source: Source, target: Path, *, progress: Progress, patience: Patience) -> None:
    """Let a target be the file of a source, which is not asked if it is that already.

    Any number of threads and processes may do so at once: one asks, the others wait. When it is
    interrupted, the bytes that have arrived stay beside the target for the next call to resume.

    Args:
        source: of the file.
        target: in a folder that exists; takes its name only when it is complete and checked.
        progress: called before the source is asked, and then whenever bytes have arrived; a
            DownloadError that it raises ends the call.
        patience: timeouts, retries and the least pace.

    Raises:
        DownloadError: the file cannot be completed, or is not the expected one.
        OSError: the target cannot be written; what had arrived is removed.
    """

    def wait(done: int) -> None:
        progress(done, source.size)
        patience.sleep(POLL)

    with _naming(target):
        if source.is_at(target):
            return
        with partial_of(target, wait=wait) as part:
            # Another process may have completed it meanwhile.
            if not source.is_at(target):
                with _dropped_on(OSError, part):
                    _fill(part, source, progress=progress, patience=patience)
                with _dropped_on((DownloadError, OSError), part):
                    source.check(part.path)
                    part.finish(target)


def wrong_size(name: str, expected: int | None, found: str) -> DownloadError:
    """Return the error for a file of another size than is expected."""
    return DownloadError(f"{name}: {expected} bytes expected, {found}; it is another file; {HINT}")


def broken_off(name: str, done: int, total: int | None, reason: str) -> TryAgainError:
    """Return the error for a connection that ended before the file did."""
    of = "" if total is None else f" of {total}"
    return TryAgainError(f"{name}: the download broke off at byte {done}{of} ({reason})")


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Let an OSError name the target, which the user knows, in place of the hidden file."""
    try:
        yield
    except OSError as error:
        name = os.fsdecode(error.filename or "")
        if not name or Path(name).name.startswith(f".{target.name}."):
            error.filename = os.fspath(target)
        raise


@contextmanager
def _dropped_on(
    errors: type[Exception] | tuple[type[Exception], ...], part: Partial
) -> Iterator[None]:
    try:
        yield
    except errors:
        part.drop()
        raise


def _fill(part: Partial, source: Source, *, progress: Progress, patience: Patience) -> None:
    """Complete a partial file.

    Raises:
        DownloadError: it cannot be completed; another call may resume it.
    """
    start = source.resumes_at(part)
    progress(start, source.size)
    if part.version and start == part.version.total:
        return  # An earlier run ended after the last byte, before it renamed the file.
    pace = patience.pace()

    def last_words() -> str:
        lasts = part.lasts and part.version is not None and part.version.validator is not None
        count = source.resumes_at(part) if lasts else 0
        kept = f"the {count} bytes that arrived are kept for another try; " if count else ""
        return f"; {kept}{HINT}"

    def arrived(count: int) -> None:
        pace.add(count, sized=_limit(part, source) is not None)

    def once() -> None:
        try:
            with closing(source.pieces(part)) as pieces:
                chunks = _chunks(pieces, arrived)
                _append(part, source, chunks, progress=progress, most=patience.most)
        except TooSlowError as error:
            raise DownloadError(f"{source.name}: {error}{last_words()}") from error

    patience = replace(patience, sleep=pace.resting(patience.sleep))
    patiently(once, patience=patience, done=lambda: part.done, last_words=last_words)


def _limit(part: Partial, source: Source) -> int | None:
    """Return the size of the file as its source states it, or else as it is expected."""
    total = part.version.total if part.version else None
    return source.size if total is None else total


def _append(
    part: Partial, source: Source, chunks: Iterator[bytes], *, progress: Progress, most: int
) -> None:
    """Append what one request brings to the partial file."""
    first = next(chunks, b"")  # The partial file may be begun anew here.
    done, limit = part.done, _limit(part, source)
    with part.path.open("ab") as file:
        for chunk in chain((first,), chunks):
            file.write(chunk)
            done += len(chunk)
            if done > (most if limit is None else limit):
                break
            progress(done, limit)
    total = part.version.total if part.version else None
    if limit is None and done > most:
        part.drop()
        raise DownloadError(
            f"{source.name}: a file of at most {most} bytes expected where its length is not said, "
            f"found no end; {HINT}"
        )
    if limit is not None and done > limit:
        part.drop()
        raise wrong_size(source.name, limit, "more are sent")
    if total is not None and done < total:
        raise broken_off(source.name, done, total, "the connection was closed")


def _chunks(pieces: Iterator[bytes], arrived: Callable[[int], None]) -> Iterator[bytes]:
    """Yield what comes in parts of `CHUNK` bytes, the last one shorter.

    What has arrived is taken as it comes: waiting for a whole chunk might take months.
    """
    held = bytearray()
    try:
        for piece in pieces:
            held += piece
            arrived(len(piece))
            while len(held) >= CHUNK:
                yield bytes(held[:CHUNK])
                del held[:CHUNK]
    except DownloadError:
        if held:
            yield bytes(held)
        raise
    if held:
        yield bytes(held)
