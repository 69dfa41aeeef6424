"""A file that comes in pieces: resumed, paced and checked; it appears whole or not at all."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Final

from resnext.download.pace import Pace
from resnext.download.partial import Partial, partial_of
from resnext.download.retries import Patience, TryAgainError, patiently
from resnext.download.wanted import HINT, Wanted, WrongFileError
from resnext.files import MOST_LETTERS

# Called with the bytes that have arrived and the size of the file, None where that is not known.
Progress = Callable[[int, int | None], None]
# Asks once for a file from a byte on, and yields what comes. Where the partial file, the first
# argument, cannot be continued, it is begun anew before the first piece.
Request = Callable[[Partial, int], Generator[bytes]]

CHUNK: Final = 1 << 16  # bytes; at most this much is lost when the process is killed
POLL: Final = 0.2  # seconds


def complete(
    wanted: Wanted,
    request: Request,
    target: Path,
    *,
    progress: Progress,
    patience: Patience,
    check: Callable[[Path], None] = lambda _path: None,
) -> None:
    """Bring a file to a target, if it is not there yet.

    Any number of threads and processes may do so at once: one asks, the others wait. When it is
    interrupted, the bytes that have arrived stay beside the target for the next call to resume.

    Args:
        wanted: what is known of the file.
        request: brings it, or the rest of it.
        target: in a folder that exists; takes its name only when it is complete and checked.
        progress: called before anything is asked, and then whenever bytes have arrived; a
            DownloadError that it raises ends the call.
        patience: retries and the least pace.
        check: raises a WrongFileError if a complete file is not the expected one.

    Raises:
        DownloadError: the file cannot be completed, or is not the expected one.
        OSError: the target cannot be written; what had arrived is removed.
    """

    def wait(done: int) -> None:
        progress(done, wanted.size)
        patience.sleep(POLL)

    try:
        if wanted.is_at(target):
            return
        with partial_of(target, wait=wait) as part:
            if wanted.is_at(target):  # another process has brought it meanwhile
                return
            try:
                _fill(part, wanted, request, progress=progress, patience=patience)
                wanted.check(part.path)
                check(part.path)
                part.finish(target)
            except (OSError, WrongFileError):
                part.drop()
                raise
    except OSError as error:
        # The user does not know the hidden file.
        name = os.fsdecode(error.filename or "")
        if not name or Path(name).name.startswith(f".{target.name[:MOST_LETTERS]}"):
            error.filename = os.fspath(target)
        raise


def broken_off(name: str, part: Partial, done: int, reason: str) -> TryAgainError:
    """Return the error for a connection that ended before the file did."""
    of = "" if part.total is None else f" of {part.total}"
    return TryAgainError(f"{name}: the download broke off at byte {done}{of} ({reason})")


def _fill(
    part: Partial, wanted: Wanted, request: Request, *, progress: Progress, patience: Patience
) -> None:
    """Complete a partial file.

    Raises:
        DownloadError: it cannot be completed; another call may resume it.
    """
    start = part.kept(wanted)
    progress(start, wanted.size)
    if start and start == part.total:
        return  # An earlier run ended after the last byte, before it renamed the file.
    pace = patience.pace(wanted.name)

    def last_words() -> str:
        count = part.kept(wanted) if part.lasts else 0
        kept = f"the {count} bytes that arrived are kept for another try; " if count else ""
        return f"; {kept}{HINT}"

    def once() -> None:
        with closing(request(part, part.kept(wanted))) as pieces:
            _append(pieces, part, wanted, pace, progress=progress, most=patience.most)

    patiently(once, patience=patience, pace=pace, done=lambda: part.done, last_words=last_words)


def _append(
    pieces: Iterator[bytes],
    part: Partial,
    wanted: Wanted,
    pace: Pace,
    *,
    progress: Progress,
    most: int,
) -> None:
    """Append what one request brings to the partial file."""
    first = next(pieces, b"")  # The partial file may be begun anew here.
    done = told = part.done
    limit = wanted.size if part.total is None else part.total
    # What has come is written when a chunk is full, and whatever ends the request.
    with part.path.open("ab", buffering=CHUNK) as file:
        for piece in chain((first,), pieces):
            file.write(piece)
            done += len(piece)
            pace.add(len(piece), sized=limit is not None)
            if done > (most if limit is None else limit):
                break
            while done >= told + CHUNK:
                file.flush()
                told += CHUNK
                progress(told, limit)
    if limit is not None and done > limit:
        raise WrongFileError(wanted.found_size(limit, "more are sent"))
    if limit is None and done > most:
        raise WrongFileError(
            f"{wanted.name}: a file of at most {most} bytes expected where its length is not said, "
            f"found no end; {HINT}"
        )
    if part.total is not None and done < part.total:
        raise broken_off(wanted.name, part, done, "the connection was closed")
    if told < done:
        progress(done, limit)
