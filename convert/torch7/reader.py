"""The bytes of a .t7 file to Lua objects, bounded and without copies.

torchfile walks the objects and their references. What it cannot be trusted with is replaced here:
the primitive reads (torchfile reads short without a word), tensors and storages (unchecked strides,
missing types), functions (a function that refers to itself derails it) and both of its heuristics.
"""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from convert.torch7.cursor import Array, AsciiCursor, BinaryCursor, Buffer, Cursor, Limits
from convert.torch7.errors import (
    BoundsError,
    EncodingError,
    LimitError,
    NotT7Error,
    T7Error,
    TrailingBytesError,
    UnknownTagError,
)
from convert.torch7.objects import Function, Object, Storage, Table, Tensor
from convert.torch7.signatures import describe


@dataclass(frozen=True, slots=True)
class File:
    """A .t7 file as read: its root value and how it was written."""

    root: Any
    encoding: str
    long_bytes: int | None
    bytes: int


def load(path: Path, *, limits: Limits | None = None) -> File:
    """Read a .t7 file; arrays are views of the mapped file.

    The encoding is told from the first bytes; the width of `long`, which a binary file does not
    state, by which of 8 and 4 reads the file to its last byte.

    Args:
        path: the file.
        limits: caps, by default `Limits()`.

    Raises:
        T7Error: not a .t7 file, or a damaged one; the leaf names the cause.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        empty = file.seek(0, 2) == 0  # which cannot be mapped
        data = b"" if empty else mmap(file.fileno(), 0, access=ACCESS_READ)
    return loads(data, limits=limits)


def loads(data: Buffer, *, limits: Limits | None = None) -> File:
    """Read the bytes of a .t7 file, as `load` does."""
    limits = limits or Limits()
    head = bytes(data[:512])
    if not head:
        raise NotT7Error("an empty file; copy or download it again")
    if _looks_binary(head):
        try:
            root = _read(BinaryCursor(data, long_bytes=8, limits=limits), limits)
            return File(root, "binary", 8, len(data))
        except T7Error as error:
            # Without its traceback, which keeps alive all that the first try has read.
            return _read_long32(data, limits, error.with_traceback(None))
    if not _looks_ascii(head):
        raise NotT7Error(describe(head))
    root = _read(AsciiCursor(data, limits=limits), limits)
    return File(root, "ascii", None, len(data))


def _read_long32(data: Buffer, limits: Limits, error8: T7Error) -> File:
    try:
        root = _read(BinaryCursor(data, long_bytes=4, limits=limits), limits)
    except T7Error as error4:
        # The right width gets further before it meets the fault.
        raise (error4 if error4.offset > error8.offset else error8) from None
    return File(root, "binary", 4, len(data))


def _looks_binary(head: bytes) -> bool:
    return head[0] <= _LAST_TAG and not any(head[1:4])


def _looks_ascii(head: bytes) -> bool:
    return head[:1].isdigit() and head[1:2] in (b"\n", b"")


def _read(cursor: Cursor, limits: Limits) -> Any:
    root = Reader(cursor, limits).read_obj()
    if cursor.offset != len(cursor.data):
        raise TrailingBytesError(len(cursor.data) - cursor.offset, offset=cursor.offset)
    return root


def _private_torchfile() -> ModuleType:
    """Load a copy of torchfile whose module globals are ours to replace.

    Its walk looks its handlers and its table class up there; other users of torchfile in the same
    process keep their own.
    """
    spec = importlib.util.find_spec("torchfile")
    if spec is None or spec.loader is None:  # a broken installation, not a user's file
        raise ModuleNotFoundError("torchfile", name="torchfile")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


torchfile: Any = _private_torchfile()
torchfile.hashable_uniq_dict = Table
torchfile.TorchObject = Object

_LAST_TAG: Final = torchfile.TYPE_RECUR_FUNCTION
_CLASS_NAME: Final = re.compile(rb"[!-~]{1,128}")
_VERSION: Final = re.compile(rb"V \d{1,9}")


class Reader(torchfile.T7Reader):  # type: ignore[misc]
    """torchfile's walk over a checked cursor."""

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        super().__init__(None, use_list_heuristic=False, use_int_heuristic=False)
        self.cursor, self.limits, self.caps = cursor, limits, limits
        self.depth = self.values = 0
        self.read_int = cursor.read_int
        self.read_double = cursor.read_double

    def read_string(self, disable_utf8: bool = False) -> bytes:
        """Read a length and as many bytes; torchfile sets the flag for versions and classes."""
        start = self.cursor.offset
        value = self.cursor.read_bytes(self.cursor.read_int())
        if disable_utf8 and not (_VERSION.fullmatch(value) or _CLASS_NAME.fullmatch(value)):
            raise EncodingError(f"a class name expected, found {value[:16]!r}", offset=start)
        return value

    def read_obj(self) -> Any:
        """Read one value, with everything in it."""
        start = self.cursor.offset
        if self.depth == self.caps.depth:
            raise LimitError("values inside each other", offset=start, limit=self.caps.depth)
        if len(self.objects) > self.caps.objects:
            raise LimitError("objects", offset=start, limit=self.caps.objects)
        if self.values == self.caps.values:
            raise LimitError("values", offset=start, limit=self.caps.values)
        self.depth += 1
        self.values += 1
        tag = self.read_int()
        match tag:
            case torchfile.TYPE_FUNCTION:
                value = self._read_function(Function())
            case torchfile.TYPE_RECUR_FUNCTION | torchfile.LEGACY_TYPE_RECUR_FUNCTION:
                value = self._read_shared_function()
            case _ if 0 <= tag <= _LAST_TAG:
                if tag == torchfile.TYPE_TABLE:
                    self._check_table()
                self.cursor.offset = start
                value = super().read_obj()
                # The tag may lie: a known index means its object, of whatever type that is.
                if isinstance(value, Table) and None in value:
                    # Lua has no such table; longs of the wrong width can make one up.
                    raise BoundsError("a table with the key nil", offset=start)
            case _:
                raise UnknownTagError(tag, offset=start)
        if isinstance(value, Object) and not 0 <= value.offset <= start:
            value.offset = start  # of the object itself, which is before any reference to it
        self.depth -= 1
        return value

    def _check_table(self) -> None:
        """Look ahead at a table's size: torchfile would take a negative one for empty."""
        index, start = self.read_int(), self.cursor.offset
        if index not in self.objects and (size := self.read_int()) < 0:
            raise BoundsError(f"a table of {size} entries", offset=start)

    def _read_shared_function(self) -> Any:
        index = self.read_int()
        if index in self.objects:
            return self.objects[index]
        function = self.objects[index] = Function()  # before its upvalues: one may be itself
        return self._read_function(function)

    def _read_function(self, function: Function) -> Function:
        function.dumped = self.cursor.read_bytes(self.read_int())
        function.upvalues = self.read_obj()
        return function


def _read_storage(
    reader: Reader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
) -> Storage:
    array = reader.cursor.read_array(dtype, reader.cursor.read_long())
    reader.caps = reader.limits.beside(reader.cursor.unread)
    return Storage(name, array)


def _read_tensor(
    reader: Reader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
) -> Tensor:
    cursor, start = reader.cursor, reader.cursor.offset
    axes = reader.read_int()
    if not 0 <= axes <= MOST_AXES:
        raise BoundsError(f"a tensor of {axes} axes, at most {MOST_AXES} expected", offset=start)
    shape = tuple(cursor.read_long() for _ in range(axes))
    stride = tuple(cursor.read_long() for _ in range(axes))
    first = cursor.read_long() - 1  # Lua counts from one
    storage = reader.read_obj()
    if storage is None:  # an empty tensor
        array: Array = np.frombuffer(b"", dtype)
    elif isinstance(storage, Storage) and storage.type == name.replace("Tensor", "Storage"):
        array = storage.array
    else:
        found = getattr(storage, "type", type(storage).__name__)
        raise BoundsError(f"the storage of a {name} expected, found {found}", offset=start)
    if axes == 0:
        return Tensor(name, array[:0], storage)
    view = strided_view(array, shape, stride=stride, first=first, offset=start)
    return Tensor(name, view, storage)


def strided_view(
    storage: Array, shape: tuple[int, ...], *, stride: tuple[int, ...], first: int, offset: int
) -> Array:
    """View a flat storage as the tensor that a tensor record describes.

    The record comes from the file, so its furthest address is checked: numpy would not. Torch7 has
    no axis of no elements (an empty tensor has no axes); to refuse it also keeps a file of 8-byte
    longs that is cut short from making sense with 4-byte ones.

    Args:
        storage: (n,) any dtype; not copied.
        shape: size per axis, each >= 1.
        stride: step per axis in elements (not bytes), each >= 0; as many as `shape`.
        first: 0-based index of the first element.
        offset: byte of the file at which the record starts, for the message.

    Raises:
        BoundsError: an empty axis, a negative field, or an address >= n.
    """
    if min((first, *shape, *stride)) < 0 or 0 in shape:
        raise BoundsError(f"shape {shape}, stride {stride}, start {first + 1}", offset=offset)
    if prod(shape) > MOST_ELEMENTS:  # only stride 0 leads here, and numpy's sizes would overflow
        raise BoundsError(f"shape {shape} over {storage.size} elements", offset=offset)
    last = first + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if last >= storage.size:
        message = f"element {last + 1} addressed, the storage has {storage.size}"
        raise BoundsError(message, offset=offset)
    # The step of an axis of one element is never taken, and may be anything.
    steps = tuple(
        step * storage.itemsize if size > 1 else 0 for size, step in zip(shape, stride, strict=True)
    )
    # Not as_strided, whose views keep 1.3 kB of helpers each: a file may describe many.
    view = np.ndarray(shape, storage.dtype, storage, first * storage.itemsize, steps)
    view.flags.writeable = False  # others may share the storage
    return view


MOST_AXES: Final = 16
MOST_ELEMENTS: Final = 2**48

# The element of each Torch type, little-endian; `Cuda` stands before its name, alone for Float.
ELEMENTS: Final[dict[str, np.dtype[np.generic]]] = {
    "Byte": np.dtype("<u1"),
    "Char": np.dtype("<i1"),
    "Short": np.dtype("<i2"),
    "Int": np.dtype("<i4"),
    "Long": np.dtype("<i8"),
    "Half": np.dtype("<f2"),
    "Float": np.dtype("<f4"),
    "Double": np.dtype("<f8"),
}


def _handlers() -> dict[bytes, Callable[[Reader, bytes], object]]:
    """List the readers of the classes that store raw elements, as torchfile calls them."""
    handlers: dict[bytes, Callable[[Reader, bytes], object]] = {}
    for element, dtype in ELEMENTS.items():
        for prefix in (element, "Cuda" if element == "Float" else f"Cuda{element}"):
            tensor, storage = f"torch.{prefix}Tensor", f"torch.{prefix}Storage"
            handlers[tensor.encode()] = partial(_read_tensor, name=tensor, dtype=dtype)
            handlers[storage.encode()] = partial(_read_storage, name=storage, dtype=dtype)
    return handlers


torchfile.type_handlers = _handlers()
