"""Archives by their first bytes: which are packed, and which are tars."""

from pathlib import Path
from typing import Final

from resnext.errors import DataError
from resnext.files import open_plain
from resnext.images.listing import reading

BLOCK: Final = 512  # bytes of a block of a tar

# First bytes of compressed files, which may hold a tar whose members cannot be read one by one.
PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


def packing(path: Path) -> str | None:
    """Return the compression of a file by its first bytes; None if it is not compressed."""
    with reading(), open_plain(path, DataError) as file:
        return packing_of(file.read(8))


def packing_of(start: bytes) -> str | None:
    """Return the compression of a file that starts so; None if it is not compressed."""
    return next((name for magic, name in PACKED.items() if start.startswith(magic)), None)


def is_tar(path: Path) -> bool:
    """Tell whether a file is an uncompressed tar, by its suffix or its first header."""
    with reading(), open_plain(path, DataError) as file:
        return starts_tar(file.read(BLOCK), path)


def starts_tar(start: bytes, path: Path) -> bool:
    """Tell whether a file whose first block this is is an uncompressed tar."""
    if packing_of(start) is not None:
        return False
    return path.suffix == ".tar" or start[257:262] == b"ustar"
