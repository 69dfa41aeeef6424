"""Reads protobuf's wire format: the fields of a message, one after the other, bounds checked.

A field is a varint of number and wire type, then a varint (0), 8 bytes (1), a length and as many
bytes (2), or 4 bytes (5). Groups (3, 4) are of the format's first version only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from convert.source.cursor import ByteCursor
from convert.source.errors import UnexpectedError

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
LONGEST_VARINT: Final = 10  # bytes, seven bits each
LARGEST_NUMBER: Final = (1 << 29) - 1


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    Attributes:
        number: of the message's definition.
        wire: `VARINT`, `EIGHT`, `BYTES` or `FOUR`.
        value: of a varint; of the others 0.
        start, end: of the content in bytes; of a varint both its end.
    """

    number: int
    wire: int
    value: int
    start: int
    end: int


def read_varint(cursor: ByteCursor, what: str) -> int:
    """Read a whole number of at most 64 bits.

    Raises:
        CutShortError: the part ends within it.
        UnexpectedError: it is longer.
    """
    where, value = cursor.where, 0
    for at in range(LONGEST_VARINT):
        byte = cursor.raw(1, what)[0]
        value |= (byte & 127) << (7 * at)
        if byte < 128:
            if value >> 64:
                break
            return value
    raise UnexpectedError(f"{what} of at most 64 bits expected, found a longer one", where=where)


def read_fields(cursor: ByteCursor, message: str) -> Iterator[Field]:
    """Yield the fields up to the end of the cursor's part.

    Args:
        cursor: at the start of the message; a field's content is skipped.
        message: names it in messages.

    Raises:
        CutShortError, UnexpectedError: it is damaged.
    """
    while cursor.left:
        where = cursor.where
        tag = read_varint(cursor, f"a field of {message}")
        number, wire, value = tag >> 3, tag & 7, 0
        if not 0 < number <= LARGEST_NUMBER or wire not in (VARINT, EIGHT, BYTES, FOUR):
            raise UnexpectedError(
                f"a field of {message} expected, found number {number} of wire type {wire}; the "
                "file is damaged",
                where=where,
            )
        what = f"field {number} of {message}"
        if wire == VARINT:
            value = read_varint(cursor, what)
            start = cursor.offset
        else:
            sizes = {EIGHT: 8, FOUR: 4}
            count = read_varint(cursor, f"the length of {what}") if wire == BYTES else sizes[wire]
            start = cursor.advance(count, what)
        yield Field(number, wire, value, start, cursor.offset)
