"""Reads the arrays of a `.params` file, as `mx.nd.save` writes them; they stay in the file.

Source of the layout: NDArray::Save and NDArray::Load of MXNet 0.9.5 to 1.9.1. The forms:

    file      uint64 0x112, uint64 0, uint64 count, arrays, uint64 count, names
    name      uint64 length, bytes
    2016-17   uint32 axes, uint32 sizes; context, type, data
    version 1 uint32 0xF993FAC8, uint32 axes, int64 sizes; context, type, data
    version 2 uint32 0xF993FAC9, int32 storage, int32 axes, int64 sizes; context, type, data
    version 3 uint32 0xF993FACA, the same; no axes make one number, -1 axes make none
    context   int32 device, int32 number

Before version 3, no axes stand for no array, and nothing follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from struct import Struct
from typing import Final

import numpy as np

from convert.source.cursor import Buffer, ByteCursor
from convert.source.errors import ExcessError, RefusedError, UnexpectedError
from convert.source.source import Array
from resnext.fields import shown

MAGIC: Final = (0x112).to_bytes(8, "little")

# Magic number of an array -> its form, for people.
VERSIONS: Final = {
    0xF993FAC8: "arrays of 2017 with sizes of 64 bits",
    0xF993FAC9: "2022 arrays",
    0xF993FACA: "2022 arrays of NumPy's kind",
}
LEGACY: Final = "2017 arrays"
V1, V2, V3 = VERSIONS

# MXNet's number of an element type.
DTYPES: Final[Mapping[int, np.dtype[np.generic]]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype("?"),
}

# Of a file: a ResNet of 6000 blocks has 100,000 arrays. An array takes less than 600 bytes of
# memory besides its bytes in the file.
MOST_ARRAYS: Final = 120_000
MOST_AXES: Final = 32
LONGEST_NAME: Final = 1 << 12  # bytes

_UINT64: Final = Struct("<Q")
_UINT32: Final = Struct("<I")
_INT64: Final = Struct("<q")
_INT32: Final = Struct("<i")


@dataclass(frozen=True, slots=True)
class Params:
    """The arrays of a file.

    Attributes:
        arrays: by name, which begins with `arg:` or `aux:`; read-only views of the file.
        form: of the arrays, for people.
    """

    arrays: Mapping[str, Array]
    form: str


def is_params(head: bytes) -> bool:
    """Tell by its first eight bytes whether a file is a list of MXNet's arrays."""
    return head[:8] == MAGIC


def read_params(data: Buffer) -> Params:
    """Read all arrays of a file.

    Args:
        data: the whole file, mapped or in memory.

    Raises:
        CutShortError, UnexpectedError, ExcessError: it is damaged.
        RefusedError: arrays of a kind that no network needs, or without names.
    """
    cursor = ByteCursor(data)
    cursor.advance(16, "the head of a list of arrays")
    if not is_params(data[:8]):
        raise UnexpectedError("a list of MXNet's arrays (0x112) expected", where="byte 0")
    count = _count(cursor, "arrays", least=4)
    found = [_array(cursor) for _ in range(count)]
    names = _names(cursor, count)
    if cursor.left:
        raise UnexpectedError(
            f"{cursor.left} bytes behind the end; two files joined, or a damaged one",
            where=cursor.where,
        )
    forms = {form: None for _, form in found}
    arrays = {
        name: array for name, (array, _) in zip(names, found, strict=True) if array is not None
    }
    return Params(arrays, " and ".join(forms) or LEGACY)


def _count(cursor: ByteCursor, what: str, *, least: int) -> int:
    """Read how many things follow, of at least so many bytes each."""
    where = cursor.where
    count = cursor.unpack(_UINT64, f"the number of {what}")
    if count > MOST_ARRAYS:
        raise ExcessError(f"at most {MOST_ARRAYS} {what} expected, found {count}", where=where)
    if count * least > cursor.left:
        raise UnexpectedError(
            f"{count} {what} declared, {cursor.left} bytes left; the file is cut short or damaged",
            where=where,
        )
    return count


def _array(cursor: ByteCursor) -> tuple[Array | None, str]:
    """Read one array and its form; None if it is empty."""
    where = cursor.where
    first = cursor.unpack(_UINT32, "an array")
    axes, form = first, VERSIONS.get(first, LEGACY)
    if first in VERSIONS:
        if first != V1 and (storage := cursor.unpack(_INT32, "a kind of storage")) != 0:
            raise RefusedError(
                f"{where}: an array that is stored whole (0) expected, found storage {storage}: a "
                "sparse array, which no network of the family has"
            )
        axes = cursor.unpack(_INT32, "the number of axes")
    if axes == -1 and first == V3:
        return None, form
    if not 0 <= axes <= MOST_AXES:
        raise UnexpectedError(
            f"an array with 0 to {MOST_AXES} axes expected, found {axes}; the file is damaged",
            where=where,
        )
    if not axes and first != V3:
        return None, form
    size = _INT64 if first in VERSIONS else _UINT32
    shape = tuple(cursor.unpack(size, "the size of an axis") for _ in range(axes))
    if min(shape, default=0) < 0:
        raise UnexpectedError(
            f"sizes of at least 0 expected, found {shown(list(shape))}", where=where
        )
    cursor.advance(8, "a device")
    where = cursor.where
    kind = cursor.unpack(_INT32, "an element type")
    if kind not in DTYPES:
        known = ", ".join(f"{number} {dtype.name}" for number, dtype in DTYPES.items())
        raise UnexpectedError(f"an element type of {known} expected, found {kind}", where=where)
    dtype = DTYPES[kind]
    flat = cursor.view(dtype, prod(shape), f"an array of {shown(list(shape))} {dtype.name}")
    try:
        return flat.reshape(shape), form
    except ValueError as error:  # of sizes that are too large for NumPy beside a zero
        raise UnexpectedError(f"no array can have {shown(list(shape))}", where=where) from error


def _names(cursor: ByteCursor, count: int) -> list[str]:
    where = cursor.where
    found = _count(cursor, "names", least=8)
    if not found and count:
        raise RefusedError(f"{where}: a name for each array expected, found a list without names")
    if found != count:
        raise UnexpectedError(f"{count} names expected, found {found}", where=where)
    names: dict[str, None] = {}
    for _ in range(found):
        where = cursor.where
        length = cursor.unpack(_UINT64, "the length of a name")
        if length > LONGEST_NAME:
            raise ExcessError(
                f"a name of at most {LONGEST_NAME} bytes expected, found {length}", where=where
            )
        raw = cursor.raw(length, "a name")
        try:
            name = raw.decode()
        except UnicodeDecodeError as error:
            raise UnexpectedError(
                f"a name in UTF-8 expected, found {raw[:16]!r}", where=where
            ) from error
        if name in names:
            raise UnexpectedError(
                f"a name of its own expected for each array, found {shown(name)} twice", where=where
            )
        names[name] = None
    return list(names)
