"""Opens a .t7 file: finds its encoding and reads it, or names the kind of another file."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from convert.source.cursor import map_file
from convert.torch7.cursor import AsciiCursor, BinaryCursor, Buffer, Cursor, Limits
from convert.torch7.errors import NotT7Error, T7Error, TrailingBytesError
from convert.torch7.reader import LAST_TAG, read_first, read_root
from resnext.tensor_file import pickle_kind


@dataclass(frozen=True, slots=True)
class File:
    """A .t7 file as read.

    Attributes:
        root: the value; of several the first, as Torch7's `torch.load` has it.
        encoding: "binary" or "ascii".
        long_bytes: width of `long`, None in a text.
        bytes: size of the file.
        others: how many values follow the first.
    """

    root: Any
    encoding: str
    long_bytes: int | None
    bytes: int
    others: int = 0


def load(path: Path, *, limits: Limits | None = None) -> File:
    """Read a .t7 file; arrays are views of the mapped file.

    The first bytes show the encoding. A binary file does not state its width of `long`: of 8 and 4
    bytes, it is the one with which the file can be read to its last byte.

    Args:
        path: the file.
        limits: by default `Limits()`.

    Raises:
        T7Error: not a .t7 file, or a damaged one; the subclass names the cause.
        OSError: the file cannot be opened.
    """
    return loads(map_file(path), limits=limits)


def loads(data: Buffer, *, limits: Limits | None = None) -> File:
    """Read the bytes of a .t7 file, as `load` does."""
    limits = limits or Limits()
    head = bytes(data[:512])
    if not head:
        raise NotT7Error("an empty file; copy or download it again")
    if _looks_binary(head):
        return _read_as(
            data,
            limits,
            ("binary", 8, lambda: BinaryCursor(data, long_bytes=8, limits=limits)),
            ("binary", 4, lambda: BinaryCursor(data, long_bytes=4, limits=limits)),
        )
    if not _looks_ascii(head):
        raise NotT7Error(kind_of_file(head))
    return _read_as(data, limits, ("ascii", None, lambda: AsciiCursor(data, limits=limits)))


Reading = tuple[str, int | None, Callable[[], Cursor]]


def _read_as(data: Buffer, limits: Limits, *readings: Reading) -> File:
    """Read a file in the first of these ways in which it is one value, else several values."""
    errors: list[T7Error] = []
    for encoding, long_bytes, cursor in readings:
        try:
            return File(read_root(cursor(), limits), encoding, long_bytes, len(data))
        except T7Error as error:
            # Without its traceback, which keeps all that the attempt read in memory.
            errors.append(error.with_traceback(None))
    for (encoding, long_bytes, cursor), fault in zip(readings, errors, strict=True):
        if isinstance(fault, TrailingBytesError):
            with suppress(T7Error):
                root, others = read_first(cursor(), limits)
                return File(root, encoding, long_bytes, len(data), others)
    # The right width gets further before it reaches the fault.
    raise max(errors, key=lambda error: error.offset) from None


def _looks_binary(head: bytes) -> bool:
    return head[0] <= LAST_TAG and not any(head[1:4])


def _looks_ascii(head: bytes) -> bool:
    return head[:1].isdigit() and head[1:2] in (b"\n", b"")


# (pattern of the first bytes, kind of file and what to do); the first match counts.
SIGNATURES: Final = (
    (rb"PK\x03\x04", "a zip archive: if a .t7 file is in it, unpack it first (unzip)"),
    (rb".{7}\x00\{", "a safetensors file: it needs no conversion"),
    (rb".{257}ustar", "a tar archive: if a .t7 file is in it, unpack it first (tar xf)"),
    (rb"\x1f\x8b", "a gzip archive: unpack it first (gunzip)"),
    (rb"\xfd7zXZ", "an xz archive: unpack it first (unxz)"),
    (rb"BZh", "a bzip2 archive: unpack it first (bunzip2)"),
    (rb"\x89HDF\r\n", "an HDF5 file"),
    (rb"version https://git-lfs", "a Git LFS pointer: fetch the file itself (git lfs pull)"),
    (rb"(?i)\s*<(!doctype|html|\?xml)", "a web page: the download failed, try the address again"),
    (
        rb"(\xef\xbb\xbf)?\d\r\n",
        (
            "a Torch7 text with Windows' line ends: copy the original in binary mode, or undo it "
            r"with `tr -d '\r' < FILE > NEW`"
        ),
    ),
    (rb"\d\r", "a Torch7 text whose line ends were changed: copy the original in binary mode"),
    (
        rb"\xef\xbb\xbf\d\n",
        (
            "a Torch7 text behind a byte order mark: copy the original, or undo it with "
            "`tail -c +4 FILE > NEW`"
        ),
    ),
    (
        rb"\xff\xfe|\xfe\xff",
        "a text in UTF-16: an editor or a shell changed it; copy the original in binary mode",
    ),
    (rb"[\t\n\r -~]+\Z", "a text file"),
)


def kind_of_file(head: bytes) -> str:
    """Return the kind of a file that starts with `head`, and what to do with it.

    Args:
        head: the first 512 bytes, or more.
    """
    if pickled := pickle_kind(head):
        return pickled
    for pattern, description in SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return description
    return f"unknown bytes {head[:8].hex(' ')}"
