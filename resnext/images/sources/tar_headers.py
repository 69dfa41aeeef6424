"""Headers of a tar, checked before `tarfile` reads them: some small ones would take it minutes."""

import gzip
import re
import tarfile
import zlib
from typing import BinaryIO, Final, cast

from resnext.images.names import LONGEST_NAME

# Errors that `tarfile` and `gzip` raise for a damaged archive; their documentation names few.
BROKEN: Final = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    ValueError,
    OverflowError,
    EOFError,
    LookupError,
    RecursionError,
)

# Bytes of an extended header, which has other attributes beside the name.
LONGEST_HEADER: Final = 1 << 20
# Bytes of all headers that hold for every member: `tarfile` copies their records for each.
MOST_SHARED: Final = 1 << 16
DEEPEST: Final = 128  # folders of a path

NAMES: Final = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
RECORDS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
RECORD: Final = re.compile(rb"([1-9]\d{0,6}) [^=\n]{1,1000}=")
# `tarfile` searches for digits with a regular expression whose time is the square of their number.
DIGITS: Final = re.compile(rb"\d{100}")


class BeyondError(tarfile.TarError):
    """A header that is longer than anybody needs."""


def open_tar(file: BinaryIO) -> tarfile.TarFile:
    """Open an uncompressed tar for reading.

    Reading it raises an error of `BROKEN` where an extended header is longer than anybody needs,
    or is no list of records.

    Args:
        file: at its start; it is read forward only, as a packed one goes back by starting again.
    """
    ahead = _Ahead(file)
    opened: tarfile.TarFile = tarfile.TarFile(
        fileobj=cast("BinaryIO", ahead), mode="r", tarinfo=_checked(ahead)
    )
    return opened


def is_plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is a file with bytes of its own, all of them."""
    return member.isreg() and not member.issparse()


class _Ahead:
    """A file of which some bytes can be looked at before they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = self._start = file.tell()
        self._looked_at = b""

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        self._place = place
        return place

    def read(self, size: int) -> bytes:
        begin = self._place - self._start
        data = self._looked_at[begin : begin + size] if begin >= 0 else b""
        if len(data) < size:
            self._file.seek(self._place + len(data))
            data += self._file.read(size - len(data))
        self._place += len(data)
        return data

    def look(self, size: int) -> bytes:
        """Return the next bytes, which are still to be read."""
        start = self._place
        self._looked_at, self._start = self.read(size), start
        self._place = start
        return self._looked_at


def _checked(file: _Ahead) -> type[tarfile.TarInfo]:
    """Return the class that `tarfile` makes of each header of a file, just behind which it is."""
    shared = 0

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Header":
            nonlocal shared
            found = super().frombuf(buf, encoding, errors)
            if found.type in NAMES and found.size > LONGEST_NAME + 1:
                raise _too_long("a name", LONGEST_NAME, found.size)
            if found.type not in RECORDS:
                return found
            if found.size > LONGEST_HEADER:
                raise _too_long("an extended header", LONGEST_HEADER, found.size)
            if found.type == tarfile.XGLTYPE:
                shared += found.size
                if shared > MOST_SHARED:
                    raise _too_long("headers of all members", MOST_SHARED, shared)
            blocks = -(-max(found.size, 0) // tarfile.BLOCKSIZE)
            data = file.look(blocks * tarfile.BLOCKSIZE)
            if DIGITS.search(data) or not _are_records(data[: found.size]):
                raise tarfile.ReadError("an extended header that is no list of records")
            return found

    return Header


def _too_long(what: str, most: int, found: int) -> BeyondError:
    return BeyondError(f"{what} of at most {most} bytes expected, found {found}")


def _are_records(data: bytes) -> bool:
    """Tell whether an extended header is a list of records, "LENGTH KEY=VALUE" and a line end."""
    place = 0
    while place < len(data) and data[place]:
        record = RECORD.match(data, place)
        if record is None:
            return False
        end = place + int(record[1])
        if not record.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            return False
        place = end
    return True
