"""A position in the bytes of a .t7 file: every read checks the bounds here, then advances."""

import math
import re
import struct
from dataclasses import dataclass, replace
from mmap import mmap
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from convert.torch7.errors import BoundsError, EncodingError, LimitError, TruncatedError

Buffer = bytes | mmap
Array = NDArray[np.generic]

_TOKEN: Final = re.compile(rb"\s*(\S{1,64})\s")
_INTEGER: Final = re.compile(rb"[+-]?\d+")
_NUMBER: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# As C libraries write what is no number: Windows' as "-nan(ind)" or, older ones, as "1.#QNAN0".
_INFINITE: Final = re.compile(rb"(?i)([+-]?)(?:inf(?:inity)?|1\.#INF\d*)")
_NAN: Final = re.compile(rb"(?i)[+-]?(?:nan(?:\(\w*\))?|1\.#(?:[QS]NAN|IND)\d*)")
# Reading a page of a mapped file maps the pages around it too: Linux maps 64 kB at once.
_AROUND: Final = 1 << 16
_LARGE: Final = 1 << 18
_BYTE_TYPES: Final = (np.dtype("u1"), np.dtype("i1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of what a file may ask for; networks stay far below them.

    Attributes:
        depth: of nested values. The published files need 17, recurrent networks 92, a graph of 70
            nodes in a row about 300. What a tensor or vector holds counts as ten levels.
        objects: tables, tensors, storages and modules. The largest published file has 3,084, a
            ResNeXt-101 (32x4d) in form B about 84,000, a 64x4d twice as many.
        values: these and all strings, numbers and booleans: 11,721 and about 317,000 in the former
            two files.
        string: bytes of one string or function.
        parsed: bytes of memory that the numbers of a text file may take beyond the file's size. The
            numbers of a network, written with nine digits or more, take less than the file.

    An object of a few bytes in the file takes some hundred bytes of memory: these limits keep the
    values of any file below 64 MB, besides the file itself. Large storages stay in the file and out
    of memory, so their bytes raise the limits on objects: a network of many branches has many
    objects, but also many weights, in one storage.
    """

    depth: int = 2000
    objects: int = 120_000
    values: int = 600_000
    string: int = 1 << 24
    parsed: int = 1 << 24

    def beside(self, unread: int) -> Self:
        """Return the limits for a file of which `unread` bytes stay out of memory.

        An object takes less than 600 bytes of memory besides its bytes in the file, a value less
        than 100.
        """
        objects, values = self.objects + unread // 1024, self.values + unread // 256
        return replace(self, objects=objects, values=values)


class Cursor(Protocol):
    """Reads the primitive values of an encoding; a value that cannot be read is a T7Error."""

    data: Buffer
    offset: int
    long_bytes: int
    unread: int  # bytes of large storages, which are mapped but not read into memory

    def read_int(self) -> int:
        """Read a 32-bit integer."""

    def read_long(self) -> int:
        """Read a `long`, whatever its width."""

    def read_double(self) -> float:
        """Read a 64-bit float."""

    def read_bytes(self, count: int) -> bytes:
        """Read a string of `count` bytes."""

    def read_array(self, dtype: np.dtype[np.generic], count: int) -> Array:
        """Read `count` elements as a read-only array (count,)."""


class BinaryCursor:
    """The default encoding: little-endian, unaligned, `long` of 8 bytes (Linux) or 4 (Windows).

    Args:
        data: the whole file, mapped or in memory; arrays are views of it.
        long_bytes: 8 or 4.
        limits: of what is read.
    """

    def __init__(self, data: Buffer, *, long_bytes: int, limits: Limits) -> None:
        self.data, self.offset, self.limits, self.unread = data, 0, limits, 0
        self.long_bytes = long_bytes
        self._long = struct.Struct("<q" if long_bytes == 8 else "<i")

    def _advance(self, count: int, what: str) -> int:
        start, left = self.offset, len(self.data) - self.offset
        if count < 0:
            raise BoundsError(f"{what} of {count} bytes", offset=start)
        if count > left:
            raise TruncatedError(what, offset=start, expected=count, found=left)
        self.offset += count
        return start

    def read_int(self) -> int:
        """Read a 32-bit integer."""
        value: int = _INT.unpack_from(self.data, self._advance(4, "an integer"))[0]
        return value

    def read_long(self) -> int:
        """Read a `long`."""
        start = self._advance(self._long.size, "a long integer")
        value: int = self._long.unpack_from(self.data, start)[0]
        return value

    def read_double(self) -> float:
        """Read a 64-bit float."""
        value: float = _DOUBLE.unpack_from(self.data, self._advance(8, "a number"))[0]
        return value

    def read_bytes(self, count: int) -> bytes:
        """Read a string of `count` bytes, copied."""
        _check_string(count, self.limits, self.offset)
        start = self._advance(count, "a string")
        return self.data[start : start + count]

    def read_array(self, dtype: np.dtype[np.generic], count: int) -> Array:
        """View `count` elements as a read-only array (count,)."""
        if dtype == np.dtype("i8") and self._long.size == 4:
            dtype = np.dtype("<i4")  # the elements of a LongStorage are C longs too
        start = self._advance(count * dtype.itemsize, f"a storage of {count} {dtype.name}")
        if count * dtype.itemsize >= _LARGE:
            self.unread += count * dtype.itemsize - 2 * _AROUND
        return np.frombuffer(self.data, dtype, count, start)


class AsciiCursor:
    """The text encoding: numbers separated by white space, strings followed by a newline.

    Args:
        data: the whole file, mapped or in memory.
        limits: of what is read.
    """

    def __init__(self, data: Buffer, *, limits: Limits) -> None:
        self.data, self.offset, self.limits, self.unread = data, 0, limits, 0
        self.parsed = 0
        self.long_bytes = 8  # of what is written as bytes in a text too

    def _token(self, what: str) -> bytes:
        match = _TOKEN.match(self.data, self.offset)
        if match is None:
            rest = bytes(self.data[self.offset : self.offset + 66]).lstrip()
            if len(rest) > 64:
                raise EncodingError(f"{what} expected, found {rest[:16]!r}", offset=self.offset)
            raise TruncatedError(what, offset=self.offset, expected=len(rest) + 1, found=len(rest))
        self.offset = match.end()
        return match[1]

    def read_int(self) -> int:
        """Read an integer."""
        start, token = self.offset, self._token("an integer")
        if not _INTEGER.fullmatch(token):
            self.offset = start
            raise EncodingError(f"an integer expected, found {token!r}", offset=start)
        return int(token)

    def read_long(self) -> int:
        """Read an integer; the text encoding has no widths."""
        return self.read_int()

    def read_double(self) -> float:
        """Read a number."""
        start, token = self.offset, self._token("a number")
        if _NUMBER.fullmatch(token):
            return float(token)
        if found := _INFINITE.fullmatch(token):
            return float(found[1] + b"inf")
        if _NAN.fullmatch(token):
            return math.nan
        self.offset = start
        raise EncodingError(f"a number expected, found {token!r}", offset=start)

    def _advance(self, count: int, what: str) -> int:
        """Advance over `count` bytes and the newline after them; return their start."""
        start, left = self.offset, len(self.data) - self.offset
        if count < 0:
            raise BoundsError(f"{what} of {count} bytes", offset=start)
        if count == 0:
            return start
        if count + 1 > left:
            raise TruncatedError(what, offset=start, expected=count + 1, found=left)
        if self.data[start + count : start + count + 1] != b"\n":
            raise EncodingError(f"no newline behind {what} of {count} bytes", offset=start + count)
        self.offset += count + 1
        return start

    def read_bytes(self, count: int) -> bytes:
        """Read a string of `count` bytes."""
        _check_string(count, self.limits, self.offset)
        start = self._advance(count, "a string")
        return self.data[start : start + count]

    def read_array(self, dtype: np.dtype[np.generic], count: int) -> Array:
        """Read `count` elements as a read-only array (count,)."""
        start, left = self.offset, len(self.data) - self.offset
        if dtype in _BYTE_TYPES:  # bytes are written raw in this encoding too
            start = self._advance(count, f"a storage of {count} {dtype.name}")
            return np.frombuffer(self.data, dtype, count, start)
        if count < 0:
            raise BoundsError(f"a storage of {count} elements", offset=start)
        if 2 * count > left:  # a digit and a separator each
            what = f"a storage of {count} numbers"
            raise TruncatedError(what, offset=start, expected=2 * count, found=left)
        self.parsed += count * dtype.itemsize
        if self.parsed > len(self.data) + self.limits.parsed:
            what = "bytes of numbers beyond the file's size"
            raise LimitError(what, offset=start, limit=self.limits.parsed)
        array = np.empty(count, dtype)
        read = self.read_int if dtype.kind in "iu" else self.read_double
        for index in range(count):
            array[index] = self._element(read(), dtype)
        array.flags.writeable = False
        return array

    def _element(self, value: float, dtype: np.dtype[np.generic]) -> float:
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)  # type: ignore[type-var]
            if not bounds.min <= value <= bounds.max:
                raise BoundsError(f"{value} is no {dtype.name}", offset=self.offset)
        return value


_INT: Final = struct.Struct("<i")
_DOUBLE: Final = struct.Struct("<d")


def _check_string(count: int, limits: Limits, offset: int) -> None:
    if count > limits.string:
        raise LimitError("bytes in a string", offset=offset, limit=limits.string)
