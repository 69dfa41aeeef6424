"""What a store of files is: a listing, ranges of bytes, and errors that a retry may overcome."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from resnext.download.transfer import PATIENCE, Patience, TryAgainError
from resnext.errors import DownloadError
from resnext.terminal.command import tell

T = TypeVar("T")

# Seconds that a server may ask to wait: the Hub counts requests over five minutes.
LONGEST_STATED: Final = 600.0
TOLD: Final = 10.0  # seconds of a pause that the user is told of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in a store.

    Attributes:
        name: its path in the store, with slashes.
        size: in bytes.
        version: changes when its content does: a checksum, an ETag, or a time and a size.
        sha256, md5: hexadecimal, where the store states one.
    """

    name: str
    size: int
    version: str | None = None
    sha256: str | None = None
    md5: str | None = None


class Store(Protocol):
    """Files at one address; picklable, and usable in several threads.

    Attributes:
        address: what a user sees of it, with the revision that was found and without secrets.
    """

    @property
    def address(self) -> str: ...

    def files(self) -> tuple[StoredFile, ...]:
        """Return its files, sorted by name.

        Raises:
            DownloadError: they cannot be listed.
        """

    def place(self, file: StoredFile) -> str:
        """Return the path of a file in the cache, the same in every run for the same content."""

    def states_md5(self, file: StoredFile) -> bool:
        """Tell whether the md5 of a file is that of its content; asked where it differs."""

    def has_still(self, file: StoredFile) -> bool:
        """Tell whether a file is the version that was listed; asked where no checksum told it.

        Of bytes that came by several requests some might be of another version.
        """

    def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from a start up to an end, in pieces, by one request.

        Raises:
            TryAgainError: a retry may help.
            DownloadError: none will.
        """


def named(store: Store, file: StoredFile) -> str:
    """Return the address of a file, for messages."""
    return f"{store.address.rstrip('/')}/{file.name}"


def patiently(action: Callable[[], T], *, patience: Patience = PATIENCE) -> T:
    """Return what an action returns, which is tried again where that may help.

    Raises:
        DownloadError: it does not.
    """
    failures = 0
    while True:
        try:
            return action()
        except TryAgainError as failure:
            failures += 1
            pause_or_give_up(failure, failures, patience)


def pause_or_give_up(failure: TryAgainError, failures: int, patience: Patience) -> None:
    """Wait before another try, as long as the server asks for.

    Raises:
        DownloadError: it failed too often in a row.
    """
    if failures > patience.retries:
        raise DownloadError(f"{failure}, {failures} times in a row") from failure
    if failure.pause is None:
        pause = min(patience.pause * 2 ** (failures - 1), patience.longest_pause)
    else:
        pause = min(failure.pause, LONGEST_STATED)
    if pause >= TOLD:
        tell(f"{failure}; the next try is in {pause:.0f} s\n")
    patience.sleep(pause)


def read_range(store: Store, file: StoredFile, start: int, end: int) -> bytes:
    """Return the bytes of a file from a start up to an end.

    Raises:
        DownloadError: they cannot be read.
    """

    def once() -> bytes:
        data = b"".join(store.stream(file, start, end))
        if len(data) != end - start:
            raise TryAgainError(
                f"{named(store, file)}: {end - start} bytes from {start} expected, {len(data)} came"
            )
        return data

    return patiently(once) if end > start else b""
