"""The two encodings by themselves: each primitive read, and each way in which it can fail."""

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.torch7.cursor import AsciiCursor, BinaryCursor, Cursor, Limits
from convert.torch7.errors import BoundsError, EncodingError, LimitError, T7Error, TruncatedError

LIMITS = Limits(string=8)


def binary(data: bytes, long_bytes: int = 8) -> BinaryCursor:
    return BinaryCursor(data, long_bytes=long_bytes, limits=LIMITS)


def text(data: bytes) -> AsciiCursor:
    return AsciiCursor(data, limits=LIMITS)


@pytest.mark.parametrize("value", [0, 1, -1, 2**31 - 1, -(2**31)])
def test_integer_is_read(value: int) -> None:
    for cursor in (binary(struct.pack("<i", value)), text(b"%d\n" % value)):
        assert cursor.read_int() == value
        assert cursor.offset == len(cursor.data)


@pytest.mark.parametrize("value", [0, -1, 2**31, 2**63 - 1, -(2**63)])
def test_long_of_eight_bytes_is_read(value: int) -> None:
    for cursor in (binary(struct.pack("<q", value)), text(b"%d " % value)):
        assert cursor.read_long() == value
        assert cursor.offset == len(cursor.data)


@pytest.mark.parametrize("value", [0, -1, 2**31 - 1, -(2**31)])
def test_long_of_four_bytes_is_read(value: int) -> None:
    cursor = binary(struct.pack("<i", value), long_bytes=4)
    assert (cursor.read_long(), cursor.offset) == (value, 4)


@pytest.mark.parametrize("value", [0.0, -1.5, 1e300, 5e-324, math.inf, -math.inf])
def test_number_is_read(value: float) -> None:
    for cursor in (binary(struct.pack("<d", value)), text(f"{value:.17g}\n".encode())):
        assert cursor.read_double() == value


@pytest.mark.parametrize(
    ("written", "value"),
    [(b"1.#INF ", math.inf), (b"-1.#INF00 ", -math.inf), (b"-inf ", -math.inf)],
)
def test_infinity_of_any_c_library_is_read(written: bytes, value: float) -> None:
    assert text(written).read_double() == value


@pytest.mark.parametrize(
    "written",
    [b"nan\n", b"-nan\n", b"-nan(ind)\n", b"nan(snan)\n", b"1.#QNAN\n", b"-1.#IND00\n"],
)
def test_number_that_is_none_is_read(written: bytes) -> None:
    assert math.isnan(text(written).read_double())


def test_binary_reads_follow_each_other_without_padding() -> None:
    cursor = binary(struct.pack("<iqd", 1, 2, 3.0) + b"abc" + struct.pack("<2h", 4, 5))
    assert (cursor.read_int(), cursor.read_long(), cursor.read_double()) == (1, 2, 3.0)
    assert cursor.read_bytes(3) == b"abc"
    assert cursor.read_array(np.dtype("<i2"), 2).tolist() == [4, 5]


def test_text_reads_follow_each_other() -> None:
    cursor = text(b"1\n2 3.5\n4\n a\nb\n\x01\xff\n7 8\n")
    assert (cursor.read_int(), cursor.read_long(), cursor.read_double()) == (1, 2, 3.5)
    assert cursor.read_bytes(cursor.read_int()) == b" a\nb"
    assert cursor.read_array(np.dtype("u1"), 2).tolist() == [1, 255]
    assert cursor.read_array(np.dtype("<i4"), 2).tolist() == [7, 8]
    assert cursor.offset == len(cursor.data)


def test_elements_of_a_long_storage_have_the_width_of_a_long() -> None:
    assert binary(struct.pack("<2i", 1, -2), 4).read_array(np.dtype("<i8"), 2).tolist() == [1, -2]
    assert binary(struct.pack("<2q", 1, -2), 8).read_array(np.dtype("<i8"), 2).tolist() == [1, -2]


@pytest.mark.parametrize(
    ("dtype", "written", "values"),
    [
        ("i1", b"\xff\n", [-1]),
        ("<i2", b"-32768\n", [-32768]),
        ("<i8", b"9223372036854775807\n", [2**63 - 1]),
        ("<f2", b"65504\n", [65504.0]),
        ("<f4", b"0.333333343\n", [np.float32(1 / 3)]),
        ("<f8", b"0.33333333333333331\n", [1 / 3]),
    ],
)
def test_array_in_text_keeps_its_type(dtype: str, written: bytes, values: list[Any]) -> None:
    array = text(written).read_array(np.dtype(dtype), 1)
    assert (array.dtype, array.tolist()) == (np.dtype(dtype), values)
    assert not array.flags.writeable


@pytest.mark.parametrize(
    ("dtype", "written"), [("<i2", b"32768\n"), ("<i4", b"-2147483649\n"), ("<i8", b"1" * 20)]
)
def test_array_in_text_with_an_element_too_large_is_refused(dtype: str, written: bytes) -> None:
    with pytest.raises(BoundsError):
        text(written + b" ").read_array(np.dtype(dtype), 1)


READS: dict[str, Callable[[Cursor], Any]] = {
    "integer": lambda cursor: cursor.read_int(),
    "long": lambda cursor: cursor.read_long(),
    "number": lambda cursor: cursor.read_double(),
    "string": lambda cursor: cursor.read_bytes(3),
    "bytes": lambda cursor: cursor.read_array(np.dtype("u1"), 3),
    "floats": lambda cursor: cursor.read_array(np.dtype("<f4"), 3),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("make", [binary, text])
def test_read_behind_the_end_is_refused(make: Callable[[bytes], Cursor], name: str) -> None:
    with pytest.raises(TruncatedError) as caught:
        READS[name](make(b""))
    assert (caught.value.offset, caught.value.found) == (0, 0)
    assert caught.value.expected > 0


@pytest.mark.parametrize("make", [binary, text])
def test_negative_counts_are_refused(make: Callable[[bytes], Cursor]) -> None:
    for dtype in ("u1", "<f4"):
        with pytest.raises(BoundsError):
            make(b"1 2 3 4 ").read_array(np.dtype(dtype), -1)
    with pytest.raises(BoundsError):
        make(b"1 2 3 4 ").read_bytes(-1)


@pytest.mark.parametrize("make", [binary, text])
def test_string_beyond_the_limit_is_refused(make: Callable[[bytes], Cursor]) -> None:
    assert make(b"12345678\n").read_bytes(8) == b"12345678"
    with pytest.raises(LimitError) as caught:
        make(b"123456789\n").read_bytes(9)
    assert caught.value.limit == 8


@pytest.mark.parametrize("written", [b"abc ", b"1.5 ", b"0x1 ", b"\xd9\xa1 ", b"- ", b"1" * 70])
def test_text_that_is_no_integer_is_refused(written: bytes) -> None:
    with pytest.raises(EncodingError, match="an integer expected, found") as caught:
        text(written).read_int()
    assert caught.value.offset == 0


@pytest.mark.parametrize("written", [b"abc ", b"1,5 ", b"1_0 ", b"1.#IN ", b"nan( ", b"1" * 70])
def test_text_that_is_no_number_is_refused(written: bytes) -> None:
    with pytest.raises(EncodingError, match="a number expected, found"):
        text(written).read_double()


def test_array_in_text_costs_no_more_than_the_file() -> None:
    with pytest.raises(T7Error):
        text(b"1 2 3").read_array(np.dtype("<f8"), 2**40)
