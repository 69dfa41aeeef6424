"""A file that comes in pieces: resumed, paced and checked; it appears whole or not at all."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from resnext.download import web
from resnext.download.pace import Pace
from resnext.download.partial import Partial, partial_of
from resnext.download.retries import Patience, TryAgainError, patiently
from resnext.errors import DownloadError
from resnext.files import MOST_LETTERS

# Called with the bytes that have arrived and the size of the file, None where that is not known.
Progress = Callable[[int, int | None], None]
# Asks once for a file from a byte on, and yields what comes. Where the partial file, the first
# argument, cannot be continued, it is begun anew before the first piece.
Request = Callable[[Partial, int], Generator[bytes]]

CHUNK: Final = 1 << 16  # bytes; at most this much is lost when the process is killed
POLL: Final = 0.2  # seconds
HINT: Final = "a path to a copy on disk always works"


class WrongFileError(DownloadError):
    """What came is not the file that is expected: another try does not go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is known of a file before it comes.

    Attributes:
        name: its address, without secrets.
        size: in bytes, None if it is not known.
        sha256: hexadecimal, if known; its first digits, if only these are.
        validator: of its version; None if only the answers say which version comes.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    validator: str | None = None

    def is_at(self, path: Path) -> bool:
        """Tell whether a file has the size and checksum, as far as these are known."""
        if not path.is_file() or self.size not in (None, path.stat().st_size):
            return False
        return self.sha256 is None or digest(path, "sha256").startswith(self.sha256.lower())

    def kept(self, part: Partial) -> int:
        """Return how many bytes of a partial file need not be asked for again."""
        version = part.version
        if version is None or version.validator is None or version.url != self.name:
            return 0
        if self.validator not in (None, version.validator):
            return 0
        if None not in (self.size, version.total) and version.total != self.size:
            return 0
        return part.done if version.total is None or part.done <= version.total else 0

    def check(self, path: Path) -> None:
        """Raise a WrongFileError for a complete file that is not the expected one."""
        with path.open("rb") as file:
            if web.is_page(file.read(CHUNK)):
                raise WrongFileError(self.found_page())
        size = path.stat().st_size
        if self.size is None and size == 0:
            raise WrongFileError(f"{self.name}: a file expected, found an empty one; {HINT}")
        if self.size not in (None, size):
            raise WrongFileError(self.found_size(self.size, f"{size} came"))
        if self.sha256 and not (found := digest(path, "sha256")).startswith(self.sha256.lower()):
            raise WrongFileError(self.found_digest("sha256", self.sha256.lower(), found))

    def found_page(self) -> str:
        """Return the message on a web page in place of the file."""
        return (
            f"{self.name}: a web page came instead of the file: the login page of this network, or"
            f" the file has moved; {HINT}"
        )

    def found_size(self, expected: int | None, found: str) -> str:
        """Return the message on a file of another size."""
        return f"{self.name}: {expected} bytes expected, {found}; it is another file; {HINT}"

    def found_digest(self, kind: str, expected: str, found: str) -> str:
        """Return the message on a file with another checksum."""
        more = "" if len(expected) == len(found) else "..."
        return (
            f"{self.name}: {kind} {expected}{more} expected, found {found};"
            f" it is another file, or it was damaged on the way; {HINT}"
        )


def digest(path: Path, kind: str) -> str:
    """Return the checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        new = hashlib.new(kind, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: new).hexdigest()


def complete(
    wanted: Wanted,
    request: Request,
    target: Path,
    *,
    progress: Progress,
    patience: Patience,
    check: Callable[[Path], None] = lambda _path: None,
    resumable: bool = True,
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
        resumable: whether others wait, and bytes stay; not worth it for a small file.

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
        with partial_of(target, wait=wait, shared=resumable) as part:
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
    start = wanted.kept(part)
    progress(start, wanted.size)
    if start and start == part.total:
        return  # An earlier run ended after the last byte, before it renamed the file.
    pace = patience.pace(wanted.name)

    def last_words() -> str:
        count = wanted.kept(part) if part.lasts else 0
        kept = f"the {count} bytes that arrived are kept for another try; " if count else ""
        return f"; {kept}{HINT}"

    def once() -> None:
        with closing(request(part, wanted.kept(part))) as pieces:
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
