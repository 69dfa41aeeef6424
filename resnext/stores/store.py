"""What a store of files is: a listing, ranges of bytes, and errors that a retry may overcome."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from resnext.download.retries import Patience, TryAgainError, patiently

# The Hub counts requests over five minutes.
STORE_PATIENCE: Final = Patience(longest_pause=600)


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


def read_range(
    store: Store, file: StoredFile, start: int, end: int, *, patience: Patience = STORE_PATIENCE
) -> bytes:
    """Return the bytes of a file from a start up to an end.

    Raises:
        DownloadError: they cannot be read, or come too slowly.
    """
    where = named(store, file)
    pace = patience.pace(where)

    def once() -> bytes:
        pieces, count = [], 0
        for piece in store.stream(file, start, end):
            pieces.append(piece)
            count += len(piece)
            pace.add(len(piece), sized=True)
            if count > end - start:
                break
        if count != end - start:
            raise TryAgainError(f"{where}: {end - start} bytes from {start} expected, {count} came")
        return b"".join(pieces)

    return patiently(once, patience=patience, pace=pace) if end > start else b""
