"""Ledgers that are compressed: by gzip, or by Zstandard where the package `zstandard` is there."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from resnext.errors import ResnextError
from resnext.files import read_once, whole_file

GZIP: Final = ".gz"
ZSTANDARD: Final = ".zst"
# What the files begin with.
GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTANDARD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# Decisions take a tenth of their size; a file that takes far less holds something else.
MOST_TIMES: Final = 400
LEAST: Final = 1 << 20  # bytes that any file may hold
PART: Final = 1 << 10  # bytes of a compressed file that are unpacked at once
LEVEL: Final = 19  # of Zstandard: fifty thousand lines take a second or two
LARGEST: Final = 1 << 36  # bytes of a ledger, of a hundred million images or so


class PackingError(ResnextError):
    """A compressed file that is damaged, or that cannot be written or read here."""


def is_packed(path: Path) -> bool:
    """Tell by its name whether a file is to be compressed."""
    return path.suffix in (GZIP, ZSTANDARD)


def plain_path(path: Path) -> Path:
    """Return where the lines of a ledger lie while they are written: its name without `.gz`."""
    return path.with_suffix("") if is_packed(path) else path


def check_packing(path: Path) -> None:
    """Check, before anything is measured, that a file of this name can be compressed.

    Raises:
        PackingError: it ends with `.zst`, and the package `zstandard` is missing.
    """
    if path.suffix == ZSTANDARD:
        _zstandard(path)


def packed(data: bytes, path: Path) -> bytes:
    """Return the bytes of a file as its name says: compressed, or as they are.

    The same bytes give the same file with one version of the library: no time is stored.
    """
    match path.suffix:
        case ".gz":
            return gzip.compress(data, 9, mtime=0)
        case ".zst":
            module = _zstandard(path)
            found: bytes = module.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)
            return found
        case _:
            return data


def unpacked(data: bytes, path: Path) -> bytes:
    """Return what the bytes of a file hold; what it is compressed by is told by its content.

    Args:
        data: of the whole file.
        path: for messages.

    Raises:
        PackingError: it is damaged or cut short, holds far more than a ledger of its size would,
            or needs a package that is missing.
    """
    if data.startswith(GZIP_MAGIC):
        parts = _from_gzip(data, path)
    elif data.startswith(ZSTANDARD_MAGIC):
        parts = _from_zstandard(data, path)
    else:
        return data
    whole, most = io.BytesIO(), max(MOST_TIMES * len(data), LEAST)
    for part in parts:
        whole.write(part)
        if whole.tell() > most:
            raise PackingError(
                f"{path}: a compressed ledger expected, found more than {MOST_TIMES} bytes in each "
                "of its own; name another file"
            )
    return whole.getvalue()


@contextmanager
def written_plainly(path: Path) -> Iterator[Path]:
    """Yield the file that is written in place of a compressed one, which it becomes at the end.

    A run may be killed at any byte, and a compressed file that is cut short holds little; so the
    lines stand in a plain file beside it, `run.jsonl` for `run.jsonl.gz`, until the block ends
    without an error. A compressed file that is there already is unpacked first.

    Args:
        path: of the file; one whose name ends with neither `.gz` nor `.zst` is yielded as it is.

    Raises:
        PackingError: as `unpacked` and `check_packing`.
        OSError: a file cannot be read or written.
    """
    plain = plain_path(path)
    if plain == path:
        yield path
        return
    check_packing(path)
    before = None
    if path.exists() and not plain.exists():
        before = unpacked(read_once(path, PackingError, most=LARGEST), path)
        with whole_file(plain) as file:
            file.write(before)
    try:
        yield plain
    except BaseException:
        if before is not None and plain.read_bytes() == before:
            plain.unlink()  # the compressed file holds all of it
        raise
    after = plain.read_bytes()
    if after != before:
        with whole_file(path) as file:
            file.write(packed(after, path))
    plain.unlink()


def _from_gzip(data: bytes, path: Path) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(PART << 10):
                yield part
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PackingError(_damaged(path, "gzip")) from error


def _from_zstandard(data: bytes, path: Path) -> Iterator[bytes]:
    module = _zstandard(path)
    view = memoryview(data)
    while view:  # one frame after the other
        frame = module.ZstdDecompressor().decompressobj()
        try:
            while view and not frame.eof:
                yield frame.decompress(bytes(view[:PART]))
                view = view[min(PART, len(view)) - len(frame.unused_data) :]
        except module.ZstdError as error:
            raise PackingError(_damaged(path, "Zstandard")) from error
        if not frame.eof:
            raise PackingError(_damaged(path, "Zstandard"))


def _damaged(path: Path, name: str) -> str:
    return f"{path}: a whole file of {name} expected, found a damaged one, or one that is cut short"


def _zstandard(path: Path) -> ModuleType:
    try:
        import zstandard
    except ImportError as error:
        raise PackingError(
            f"{path}: the package zstandard expected, which reads and writes .zst, found none; "
            "install it (pip install 'resnext[zstd]'), or use .gz"
        ) from error
    module: ModuleType = zstandard
    return module
