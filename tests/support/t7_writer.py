"""Writes .t7 bytes by hand: the format once more, from its description, for the reader's tests.

It checks nothing, so that it can write what Torch7 would never write. Python's values stand for
Lua's: None, bool, int and float, bytes and str; dict, list and Pairs are tables. Whatever Lua
passes by reference (tables, tensors, storages, objects, functions) is written once, and then
referred to by its index.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Encoding = Literal["binary", "long32", "ascii"]
ENCODINGS: tuple[Encoding, ...] = ("binary", "long32", "ascii")

# Element of a storage -> (struct's code, numpy's). A Long is a C long: its width is the file's.
ELEMENTS = {
    "Byte": ("B", np.uint8),
    "Char": ("b", np.int8),
    "Short": ("h", np.int16),
    "Int": ("i", np.int32),
    "Long": ("q", np.int64),
    "Half": ("e", np.float16),
    "Float": ("f", np.float32),
    "Double": ("d", np.float64),
}


@dataclass(eq=False)
class Pairs:
    """A table as a list of (key, value): any keys, in this order, even twice."""

    pairs: list[tuple[Any, Any]]


@dataclass(eq=False)
class Storage:
    """`torch.<kind>Storage`, e.g. kind "Float" or "CudaHalf"; "Cuda" is CudaFloat's name."""

    kind: str
    values: Sequence[float] | np.ndarray
    size: int | None = None  # what the file claims; by default the truth


@dataclass(eq=False)
class Tensor:
    """`torch.<kind>Tensor`; `offset` counts from one, as in Lua."""

    kind: str
    storage: Any
    shape: Sequence[int]
    stride: Sequence[int]
    offset: int = 1
    axes: int | None = None  # what the file claims; by default the length of `shape`


@dataclass(eq=False)
class Object:
    """Any other torch class. `version` is the text in front of the name; None for old files."""

    type: Any
    fields: Any = field(default_factory=dict)
    version: str | None = "V 1"


@dataclass(eq=False)
class Function:
    """A Lua function; tag 8 as today, 7 as older files have it, 6 without an index."""

    dumped: bytes
    upvalues: Any = None
    tag: int = 8


def tensor(array: Any, kind: str = "Float") -> Tensor:
    """Return a contiguous tensor with a storage of its own."""
    array = np.ascontiguousarray(array)
    if array.size == 0:
        return Tensor(kind, None, (), ())
    stride = tuple(step // array.itemsize for step in array.strides)
    return Tensor(kind, Storage(kind, array.reshape(-1)), array.shape, stride)


def dumps(value: Any, encoding: Encoding = "binary") -> bytes:
    """Return the bytes of a .t7 file with one value."""
    out = Ascii() if encoding == "ascii" else Binary(4 if encoding == "long32" else 8)
    _Walk(out).write(value)
    return b"".join(out.chunks)


class Binary:
    """The default encoding: little-endian, without padding."""

    def __init__(self, long_bytes: int) -> None:
        self.chunks: list[bytes] = []
        self.long_code = "q" if long_bytes == 8 else "i"

    def integer(self, value: int) -> None:
        self.chunks.append(struct.pack("<i", value))

    def longs(self, values: Iterable[int]) -> None:
        self.chunks += [struct.pack(f"<{self.long_code}", value) for value in values]

    def double(self, value: float) -> None:
        self.chunks.append(struct.pack("<d", value))

    def raw(self, value: bytes) -> None:
        self.chunks.append(value)

    def elements(self, kind: str, values: Any) -> None:
        code, dtype = ELEMENTS[kind]
        code = self.long_code if kind == "Long" else code
        if isinstance(values, np.ndarray) and values.dtype == dtype and kind != "Long":
            self.chunks.append(values.astype(values.dtype.newbyteorder("<")).tobytes())
        else:
            values = list(values)
            self.chunks.append(struct.pack(f"<{len(values)}{code}", *values))


class Ascii:
    """The text encoding: numbers, a space between those of one list, a newline behind each."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def integer(self, value: int) -> None:
        self.chunks.append(b"%d\n" % value)

    def longs(self, values: Iterable[int]) -> None:
        if text := b" ".join(b"%d" % value for value in values):
            self.chunks.append(text + b"\n")

    def double(self, value: float) -> None:
        self.chunks.append(f"{value:.17g}\n".encode())

    def raw(self, value: bytes) -> None:
        self.chunks.append(value + b"\n" if value else b"")

    def elements(self, kind: str, values: Any) -> None:
        if kind in ("Byte", "Char"):
            self.raw(struct.pack(f"{len(values)}{ELEMENTS[kind][0]}", *values))
        elif kind in ("Short", "Int", "Long"):
            self.longs(int(value) for value in values)
        elif len(values):
            digits = {"Half": 5, "Float": 9, "Double": 17}[kind]
            texts = (f"{float(value):.{digits}g}" for value in values)
            self.chunks.append(" ".join(texts).encode() + b"\n")


class _Walk:
    def __init__(self, out: Binary | Ascii) -> None:
        self.out = out
        self.seen: dict[int, int] = {}  # id -> index, from one

    def write(self, value: Any) -> None:
        match value:
            case None:
                self.out.integer(0)
            case bool():
                self.out.integer(5)
                self.out.integer(int(value))
            case int() | float():
                self.out.integer(1)
                self.out.double(float(value))
            case str() | bytes():
                self.out.integer(2)
                self.string(value)
            case Function(tag=6):
                self.out.integer(6)
                self.string(value.dumped)
                self.write(value.upvalues)
            case _:
                self.reference(value)

    def string(self, value: str | bytes) -> None:
        value = value.encode() if isinstance(value, str) else value
        self.out.integer(len(value))
        self.out.raw(value)

    def reference(self, value: Any) -> None:
        match value:
            case dict() | list() | Pairs():
                self.out.integer(3)
            case Function():
                self.out.integer(value.tag)
            case _:
                self.out.integer(4)
        known = id(value) in self.seen
        index = self.seen.setdefault(id(value), len(self.seen) + 1)
        self.out.integer(index)
        if known:
            return
        match value:
            case dict():
                self.table(list(value.items()))
            case list():
                self.table(list(enumerate(value, 1)))
            case Pairs():
                self.table(value.pairs)
            case Function():
                self.string(value.dumped)
                self.write(value.upvalues)
            case Storage():
                self.storage(value)
            case Tensor():
                self.tensor(value)
            case Object():
                self.names(value.type, value.version)
                self.write(value.fields)

    def names(self, name: str, version: str | None = "V 1") -> None:
        if version is not None:
            self.string(version)
        self.string(name)

    def table(self, pairs: list[tuple[Any, Any]]) -> None:
        self.out.integer(len(pairs))
        for key, value in pairs:
            self.write(key)
            self.write(value)

    def storage(self, value: Storage) -> None:
        self.names(f"torch.{value.kind}Storage")
        self.out.longs([len(value.values) if value.size is None else value.size])
        self.out.elements(value.kind.removeprefix("Cuda") or "Float", value.values)

    def tensor(self, value: Tensor) -> None:
        self.names(f"torch.{value.kind}Tensor")
        self.out.integer(len(value.shape) if value.axes is None else value.axes)
        self.out.longs(value.shape)
        self.out.longs(value.stride)
        self.out.longs([value.offset])
        self.write(value.storage)
