"""Reads the Lua objects of a .t7 file within limits, its arrays as views of the file.

torchfile walks the objects and their references. Its unsafe parts are replaced here: the primitive
reads (torchfile ignores a short read), tensors and storages (unchecked strides, missing types),
functions (one that refers to itself breaks its walk) and both of its heuristics.
"""

import importlib.util
import re
from collections.abc import Callable
from functools import partial
from math import prod
from types import ModuleType
from typing import Any, Final

import numpy as np

from convert.torch7.cursor import Array, Cursor, Limits
from convert.torch7.errors import (
    BoundsError,
    EncodingError,
    LimitError,
    TrailingBytesError,
    UnknownTagError,
)
from convert.torch7.objects import Function, Object, Storage, Table, Tensor


def _private_torchfile() -> ModuleType:
    """Load a private copy of torchfile, whose module globals can be replaced.

    Its walk finds the handlers and the table class among them. Other users of torchfile in the same
    process are not affected.
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

LAST_TAG: Final = torchfile.TYPE_RECUR_FUNCTION
_CLASS_NAME: Final = re.compile(rb"[!-~]{1,128}")
_VERSION: Final = re.compile(rb"V \d{1,9}")


def read_root(cursor: Cursor, limits: Limits) -> Any:
    """Read the one value that a file holds.

    Raises:
        T7Error: it is damaged, or something follows it.
    """
    root = ObjectReader(cursor, limits).read_obj()
    if cursor.offset != len(cursor.data):
        raise TrailingBytesError(len(cursor.data) - cursor.offset, offset=cursor.offset)
    return root


class ObjectReader(torchfile.T7Reader):  # type: ignore[misc]
    """torchfile's walk over a checked cursor."""

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        super().__init__(None, use_list_heuristic=False, use_int_heuristic=False)
        self.cursor, self.limits, self.caps = cursor, limits, limits
        self.depth = self.values = 0
        self.read_int = cursor.read_int
        self.read_double = cursor.read_double

    def read_string(self, disable_utf8: bool = False) -> bytes:
        """Read a length and that many bytes; torchfile sets the flag for versions and classes."""
        start = self.cursor.offset
        value = self.cursor.read_bytes(self.cursor.read_int())
        if disable_utf8 and not (_VERSION.fullmatch(value) or _CLASS_NAME.fullmatch(value)):
            raise EncodingError(f"a class name expected, found {value[:16]!r}", offset=start)
        return value

    def read_obj(self) -> Any:
        """Read one value with its whole content."""
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
            case _ if 0 <= tag <= LAST_TAG:
                if tag == torchfile.TYPE_TABLE:
                    self._check_table()
                self.cursor.offset = start
                value = super().read_obj()
                # The tag is not reliable: a known index returns its object, whatever its type is.
                if isinstance(value, Table) and None in value:
                    # Lua has no such table, but longs read with the wrong width can look like one.
                    raise BoundsError("a table with the key nil", offset=start)
            case _:
                raise UnknownTagError(tag, offset=start)
        if isinstance(value, Object) and not 0 <= value.offset <= start:
            value.offset = start  # the object itself precedes every reference to it
        self.depth -= 1
        return value

    def _check_table(self) -> None:
        """Read ahead to check a table's size: torchfile treats a negative one as empty."""
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
    reader: ObjectReader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
) -> Storage:
    array = reader.cursor.read_array(dtype, reader.cursor.read_long())
    reader.caps = reader.limits.beside(reader.cursor.unread)
    return Storage(name, array)


def _read_tensor(
    reader: ObjectReader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
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

    The record comes from the file, so its highest address is checked: NumPy would not check it.
    Axes of size 0 are refused: Torch7 has none (an empty tensor has no axes), and a truncated file
    of 8-byte longs could otherwise be read as one of 4-byte longs.

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
    if prod(shape) > MOST_ELEMENTS:  # possible with stride 0 only; NumPy's sizes would overflow
        raise BoundsError(f"shape {shape} over {storage.size} elements", offset=offset)
    last = first + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if last >= storage.size:
        message = f"element {last + 1} addressed, the storage has {storage.size}"
        raise BoundsError(message, offset=offset)
    # The stride of an axis of one element has no meaning and may be anything.
    steps = tuple(
        step * storage.itemsize if size > 1 else 0 for size, step in zip(shape, stride, strict=True)
    )
    # Not as_strided, each of whose views keeps 1.3 kB of helper objects: a file may have many.
    view = np.ndarray(shape, storage.dtype, storage, first * storage.itemsize, steps)
    view.flags.writeable = False  # other tensors may share the storage
    return view


MOST_AXES: Final = 16
MOST_ELEMENTS: Final = 2**48

# The element of each Torch type, little-endian. CUDA types have the prefix `Cuda`; float's is
# `Cuda` alone.
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


def _handlers() -> dict[bytes, Callable[[ObjectReader, bytes], object]]:
    """Return the functions that torchfile calls for the classes that store raw elements."""
    handlers: dict[bytes, Callable[[ObjectReader, bytes], object]] = {}
    for element, dtype in ELEMENTS.items():
        for prefix in (element, "Cuda" if element == "Float" else f"Cuda{element}"):
            tensor, storage = f"torch.{prefix}Tensor", f"torch.{prefix}Storage"
            handlers[tensor.encode()] = partial(_read_tensor, name=tensor, dtype=dtype)
            handlers[storage.encode()] = partial(_read_storage, name=storage, dtype=dtype)
    return handlers


torchfile.type_handlers = _handlers()
