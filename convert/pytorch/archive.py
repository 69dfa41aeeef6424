"""What a file of PyTorch is by its first bytes, and its zip archive checked before it is read.

torch.save stores entries as they are. An archive that would grow when it is read is refused, as
no more memory than the file has bytes is to be taken for what is in it.
"""

import errno
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from struct import Struct
from typing import IO, Final

from convert.pytorch.errors import DamagedFileError, InflatedFileError, ProgramError
from resnext.fields import cut, shown

ZIP_START: Final = b"PK\x03\x04"
# The name of the first entry starts at byte 30.
_FIRST_ENTRY: Final = re.compile(rb"PK\x03\x04.{26}[^/]+/data\.pkl", re.DOTALL)
# The pickled number with which PyTorch's files before version 1.6 begin.
_OLD_START: Final = re.compile(
    rb"\x80[\x02-\x05](\x95.{8})?\x8a\x0a"
    + re.escape(0x1950A86A20F9469CFC6C.to_bytes(10, "little"))
    + rb"\.",
    re.DOTALL,
)
HEAD: Final = 512
CHUNK: Final = 1 << 20  # bytes that are read at a time

# Bytes of all pickled values but the tensors' own; a training's state has some hundred thousand.
MOST_PICKLED: Final = 1 << 24
# Bytes of the list of entries; each has about 70.
MOST_LISTED: Final = 1 << 24
_END: Final = Struct("<4s4xHHIIH")
_END_64: Final = Struct("<4s20xQQQQ")
_COMMENT: Final = 1 << 16


class FileKind(StrEnum):
    """The two ways in which torch.save writes files."""

    ZIP = "PyTorch, zip"
    OLD = "PyTorch, old format"


def kind_of(path: Path) -> FileKind | None:
    """Return which way a file was written, None if torch.save did not write it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        if _OLD_START.match(head):
            return FileKind.OLD
        if _FIRST_ENTRY.match(head):
            return FileKind.ZIP
        if not head.startswith(ZIP_START):
            return None
        try:
            names = [entry.filename for entry in _entries(file)]
        except (DamagedFileError, InflatedFileError):
            return None
    return FileKind.ZIP if any(is_pickle(name) for name in names) else None


def check_zip(path: Path) -> None:
    """Check a zip archive of torch.save: whole, every byte stored once, and as it was written.

    Raises:
        DamagedFileError: it is cut short, or a checksum does not fit.
        InflatedFileError: an entry is compressed, or entries share bytes, or the pickle is large.
        ProgramError: it is a program.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        entries = _entries(file)
        size = file.seek(0, 2)
        names = Counter(entry.filename for entry in entries)
        pickles = [entry for entry in entries if is_pickle(entry.filename)]
        if twice := [name for name, count in names.items() if count > 1]:
            raise DamagedFileError(f"entry {shown(twice[0])} stands there twice")
        if any(name.rpartition("/")[2] == "constants.pkl" for name in names):
            raise ProgramError
        if len(pickles) != 1:
            raise DamagedFileError(f"one entry data.pkl expected, found {len(pickles)}")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise InflatedFileError(
                    f"entry {shown(entry.filename)}: {entry.compress_size} bytes that become "
                    f"{entry.file_size} expected to be stored as they are, as torch.save does; "
                    "save it again with torch.save"
                )
        if (total := sum(entry.file_size for entry in entries)) > size:
            raise InflatedFileError(
                f"entries of {total} bytes in a file of {size}; they share bytes, which "
                "torch.save never writes"
            )
        if pickles[0].file_size > MOST_PICKLED:
            raise InflatedFileError(
                f"a pickle of {pickles[0].file_size} bytes beside the tensors, at most "
                f"{MOST_PICKLED} are read; save the network's state_dict() alone"
            )
        with whole_archive(), zipfile.ZipFile(file) as archive:
            for entry in entries:
                if entry.CRC:  # torch.save can be told to compute none
                    _check_sum(archive, entry)


def _check_sum(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read an entry to its end, where its checksum is compared."""
    with archive.open(entry) as file:
        while file.read(CHUNK):
            pass


# What zipfile raises for archives that contradict themselves; NotImplementedError for encryption.
_ZIP_FAULTS: Final = (
    *(zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError),
    *(struct.error, OverflowError),
)


@contextmanager
def whole_archive() -> Iterator[None]:
    """Let every fault of an archive that zipfile meets in the block be one of ours."""
    try:
        yield
    except _ZIP_FAULTS as fault:
        raise DamagedFileError(cut(str(fault))) from fault
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # of a position outside of the file
            raise
        raise DamagedFileError("an entry outside of the file") from fault


def is_pickle(name: str) -> bool:
    """Tell whether an entry of an archive holds the pickled values."""
    return name.count("/") == 1 and name.endswith("/data.pkl")


def _entries(file: IO[bytes]) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive, whose list is checked to be short before it is read."""
    if (listed := _listed_bytes(file)) > MOST_LISTED:
        raise InflatedFileError(
            f"a list of entries of {listed} bytes, at most {MOST_LISTED} are read"
        )
    with whole_archive(), zipfile.ZipFile(file) as archive:
        return archive.infolist()


def _listed_bytes(file: IO[bytes]) -> int:
    """Return how many bytes the list of entries has, as the end of the archive states it."""
    start = max(0, file.seek(0, 2) - _COMMENT - _END.size - 76)
    file.seek(start)
    tail = file.read()
    if (at := tail.rfind(b"PK\x05\x06")) < 0 or len(tail) - at < _END.size:
        raise DamagedFileError("the end of a zip archive expected, found none")
    listed = int(_END.unpack_from(tail, at)[3])
    at = tail.rfind(b"PK\x06\x06", 0, at)
    if at >= 0 and len(tail) - at >= _END_64.size:
        listed = max(listed if listed < (1 << 32) - 1 else 0, int(_END_64.unpack_from(tail, at)[3]))
    return listed
