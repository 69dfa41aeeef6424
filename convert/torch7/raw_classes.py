"""The classes that write themselves: storages, tensors, tds' vectors and hashes, and generators."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Final, Protocol

import numpy as np

from convert.torch7.cursor import Array, Cursor, Limits
from convert.torch7.errors import BoundsError
from convert.torch7.objects import Object, Storage, Table, Tensor


class RecordReader(Protocol):
    """What reads the record of such a class, in the walk over its file.

    Attributes:
        cursor: at the first byte behind the class's name.
        limits: of the whole file.
        caps: those of what is still to come.
    """

    cursor: Cursor
    limits: Limits
    caps: Limits

    def read_int(self) -> int:
        """Read a whole number of 4 bytes."""

    def read_part(self) -> object:
        """Read a value inside this one, with its whole content."""


Handler = Callable[[RecordReader, bytes], object]


def _read_storage(
    reader: RecordReader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
) -> Storage:
    array = reader.cursor.read_array(dtype, reader.cursor.read_long())
    reader.caps = reader.limits.beside(reader.cursor.unread)
    return Storage(name, array)


def _read_tensor(
    reader: RecordReader, _version: bytes, *, name: str, dtype: np.dtype[np.generic]
) -> Tensor:
    cursor, start = reader.cursor, reader.cursor.offset
    axes = reader.read_int()
    if not 0 <= axes <= MOST_AXES:
        raise BoundsError(f"a tensor of {axes} axes, at most {MOST_AXES} expected", offset=start)
    shape = tuple(cursor.read_long() for _ in range(axes))
    stride = tuple(cursor.read_long() for _ in range(axes))
    first = cursor.read_long() - 1  # Lua counts from one
    storage = reader.read_part()
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


def _read_elements(reader: RecordReader, version: bytes, *, name: str, pairs: bool) -> Object:
    """Read a vector or hash of the package tds: how many, then the values, or keys and values."""
    value = Object(name.encode(), int(version[2:]) if version.startswith(b"V ") else 0)
    if version != b"V 0":  # not written by tds itself
        value.fill(reader.read_part())
        return value
    start = reader.cursor.offset
    count = reader.cursor.read_long()
    if count < 0:
        raise BoundsError(f"a {name} of {count} elements", offset=start)
    table = Table()
    for number in range(count):
        key = reader.read_part() if pairs else number + 1
        table[key] = reader.read_part()
    value.fill(table)
    return value


def _read_generator(reader: RecordReader, _version: bytes) -> Storage:
    """Read the state of random numbers, which Torch7 writes as it lies in memory."""
    count = GENERATOR_BYTES[reader.cursor.long_bytes]
    return Storage("torch.Generator", reader.cursor.read_array(ELEMENTS["Byte"], count))


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


# Bytes of THGenerator, whose fields are: the seed (a long), two ints, the position (a long), 624
# longs, three doubles and an int, aligned to 8 bytes; by the width of a long.
GENERATOR_BYTES: Final = {8: 5048, 4: 2544}

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


def handlers() -> dict[bytes, Handler]:
    """Return the functions that torchfile calls for the classes that write themselves."""
    rows: dict[bytes, Handler] = {}
    for element, dtype in ELEMENTS.items():
        for prefix in (element, "Cuda" if element == "Float" else f"Cuda{element}"):
            tensor, storage = f"torch.{prefix}Tensor", f"torch.{prefix}Storage"
            rows[tensor.encode()] = partial(_read_tensor, name=tensor, dtype=dtype)
            rows[storage.encode()] = partial(_read_storage, name=storage, dtype=dtype)
    rows[b"tds.Vec"] = partial(_read_elements, name="tds.Vec", pairs=False)
    rows[b"tds.Hash"] = partial(_read_elements, name="tds.Hash", pairs=True)
    rows[b"torch.Generator"] = _read_generator
    return rows
