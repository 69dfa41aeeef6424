"""The part of MATLAB's level 5 MAT-file format that a table of structs with two columns takes.

Source: MathWorks, "MAT-File Format", chapter "Level 5 MAT-File Format".
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from resnext.errors import DataError
from resnext.images.names import few

HEADER: Final = 128  # bytes
MOST: Final = 1 << 26  # bytes that a compressed variable may unfold to

MATRIX, COMPRESSED = 14, 15
# Type of the values of an element -> how `struct` reads one of them.
NUMBERS: Final = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
TEXTS: Final = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}

# Class of an array.
STRUCT, CHARS = 2, 4
NUMERIC: Final = range(6, 16)


@dataclass(frozen=True, slots=True)
class _Element:
    kind: int
    data: memoryview


def read_structs(data: bytes, variable: str, fields: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Return some fields of each element of a struct array: an int, a float or a text each.

    Args:
        data: the whole file.
        variable: name of the struct array.
        fields: names of scalars or texts; what other fields hold is not looked at.

    Raises:
        DataError: no such file, variable or field, or a damaged one.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2 : HEADER])
    if order is None:
        raise DataError("a MATLAB file of level 5 expected, found something else")
    try:
        for element in _elements(memoryview(data)[HEADER:], order):
            found = _inflated(element, order)
            if found.kind != MATRIX or not len(found.data):
                continue
            parts = _elements(found.data, order)
            flags, _shape, name = _take(parts, 3)
            if bytes(name.data) == variable.encode() and _class(flags, order) == STRUCT:
                return _rows(parts, fields, order)
    except (struct.error, zlib.error, LookupError, ValueError) as error:
        raise DataError(f"a whole MATLAB file expected, found a damaged one ({error})") from error
    raise DataError(f"a struct array {variable!r} expected, found none")


def _rows(
    parts: Iterator[_Element], fields: tuple[str, ...], order: str
) -> list[tuple[object, ...]]:
    width_of_names, all_names = _take(parts, 2)
    (width,) = struct.unpack(order + "i", width_of_names.data)
    text = bytes(all_names.data)
    names = [
        text[start : start + width].split(b"\0")[0].decode("latin-1")
        for start in range(0, len(text), max(width, 1))
    ]
    if missing := [field for field in fields if field not in names]:
        raise ValueError(f"fields {few(names)}, but no {few(missing)}")
    places = [names.index(field) for field in fields]
    values = list(parts)  # of the fields of the first struct, then those of the second ...
    starts = range(0, len(values), len(names))
    return [tuple(_value(values[start + place], order) for place in places) for start in starts]


def _value(element: _Element, order: str) -> object:
    flags, _shape, _name, value = _take(_elements(element.data, order), 4)
    kind = _class(flags, order)
    if kind == CHARS:
        coding = TEXTS[value.kind]
        if coding == "utf-16":
            coding += "-le" if order == "<" else "-be"
        return bytes(value.data).decode(coding)
    if kind in NUMERIC:
        number: object
        (number,) = struct.unpack(order + NUMBERS[value.kind], value.data)
        return number
    raise ValueError(f"a field of class {kind}")


def _class(flags: _Element, order: str) -> int:
    word: int
    (word,) = struct.unpack_from(order + "I", flags.data)
    return word & 0xFF


def _inflated(element: _Element, order: str) -> _Element:
    if element.kind != COMPRESSED:
        return element
    unfolding = zlib.decompressobj()
    data = unfolding.decompress(element.data, MOST)
    if not unfolding.eof:
        raise ValueError(f"a variable cut short, or of more than {MOST} bytes")
    return _take(_elements(memoryview(data), order), 1)[0]


def _take(parts: Iterator[_Element], count: int) -> list[_Element]:
    found = list(islice(parts, count))
    if len(found) < count:
        raise ValueError(f"{count} parts of an array declared, {len(found)} left")
    return found


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """Yield the elements that stand one after the other."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(order + "II", data, place)
        if kind >> 16:  # a small one: size and type share a word, the data is the next
            yield _Element(kind & 0xFFFF, data[place + 4 : place + 4 + (kind >> 16)])
            place += 8
            continue
        start, place = place + 8, place + 8 + size
        if place > len(data):
            raise ValueError(f"{size} bytes declared, {len(data) - start} left")
        yield _Element(kind, data[start:place])
        if kind != COMPRESSED:
            place += -size % 8
