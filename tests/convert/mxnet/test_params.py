"""MXNet's arrays: every form and type, and every way in which a file can be damaged."""

import struct
from pathlib import Path

import numpy as np
import pytest

from convert.mxnet.params import MOST_ARRAYS, is_params, read_params
from convert.source.errors import (
    CutShortError,
    DamagedSourceError,
    ExcessError,
    RefusedError,
    UnexpectedError,
)
from tests.support.golden import DATA
from tests.support.mxnet_writer import FORMS, array, listed, params

SMALL = {
    "arg:a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "aux:b": np.array([0.5, -2], np.float32),
}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_of_every_form_are_read(form: str) -> None:
    found = read_params(params(SMALL, form)).arrays
    assert list(found) == ["arg:a", "aux:b"]
    assert found["arg:a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["aux:b"].tolist() == [0.5, -2]


@pytest.mark.parametrize("name", ["float64", "float16", "uint8", "int32", "int8", "int64"], ids=str)
def test_arrays_of_every_type_are_read(name: str) -> None:
    found = read_params(params({"arg:a": np.array([1, 2, 7]).astype(name)})).arrays["arg:a"]
    assert (found.dtype.name, found.tolist()) == (name, [1, 2, 7])


@pytest.mark.parametrize(
    ("name", "form", "gamma"),
    [
        ("mx095_small", "2017 arrays", "7a56af3fa8ca273f3823643f"),
        ("mx191_small", "2022 arrays", "9ae6b33f9d5b6f3f532a9d3f"),
    ],
    ids=["0.9.5", "1.9.1"],
)
def test_golden_file_holds_what_a_hex_dump_shows(name: str, form: str, gamma: str) -> None:
    found = read_params((DATA / "peers" / "mxnet" / f"{name}-0000.params").read_bytes())
    assert (found.form, len(found.arrays)) == (form, 106)
    assert next(iter(found.arrays)) == "arg:bn_data_gamma"
    assert found.arrays["arg:bn_data_gamma"].tobytes().hex() == gamma
    assert found.arrays["arg:conv0_weight"].shape == (8, 3, 7, 7)


def test_arrays_are_views_that_cannot_be_written() -> None:
    found = read_params(params(SMALL)).arrays["arg:a"]
    assert not found.flags.writeable
    assert found.base is not None


def test_empty_arrays_are_none() -> None:
    nothing = {"v2": struct.pack("<IiI", 0xF993FAC9, 0, 0), "legacy": struct.pack("<I", 0)}
    none = struct.pack("<Iii", 0xF993FACA, 0, -1)
    data = listed([*nothing.values(), none], [b"arg:a", b"arg:b", b"arg:c"])
    assert read_params(data).arrays == {}


def test_array_without_axes_of_the_last_form_is_one_number() -> None:
    data = listed([array(np.array(2.5, np.float32), "v3")], [b"arg:a"])
    found = read_params(data).arrays["arg:a"]
    assert (found.shape, float(found)) == ((), 2.5)


@pytest.mark.parametrize("form", FORMS)
def test_every_prefix_is_refused(form: str) -> None:
    whole = params(SMALL, form)
    for length in range(len(whole)):
        with pytest.raises(DamagedSourceError, match=r"^byte \d+: "):
            read_params(whole[:length])


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(UnexpectedError, match=r"^byte \d+: 3 bytes behind the end"):
        read_params(params(SMALL) + b"abc")


def head(arrays: int) -> bytes:
    return struct.pack("<QQQ", 0x112, 0, arrays)


CONTEXT = struct.pack("<ii", 1, 0)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (head(MOST_ARRAYS + 1), ExcessError, "byte 16: at most 120000 arrays"),
        (head(2**63), ExcessError, "byte 16: at most 120000 arrays expected, found 92233"),
        (head(9), UnexpectedError, "byte 16: 9 arrays declared, 0 bytes left"),
        (head(1) + struct.pack("<I", 33), UnexpectedError, "byte 24: .* 0 to 32 axes .* found 33"),
        (
            head(1) + struct.pack("<Iii", 0xF993FAC9, 0, -2),
            UnexpectedError,
            "byte 24: .* found -2",
        ),
        (
            head(1) + struct.pack("<IiIq", 0xF993FAC9, 0, 1, -8) + CONTEXT,
            UnexpectedError,
            r"byte 24: sizes of at least 0 expected, found \[-8\]",
        ),
        (
            head(1) + struct.pack("<IiIqq", 0xF993FAC9, 0, 2, 2**62, 2**62) + CONTEXT + bytes(4),
            CutShortError,
            r"byte 64: an array of \[4611686018427387904, 4611686018427387904\] float32 needs",
        ),
        (
            head(1) + struct.pack("<IiIqq", 0xF993FAC9, 0, 2, 2**62, 0) + CONTEXT + bytes(4),
            UnexpectedError,
            "no array can have",
        ),
        (
            head(1) + struct.pack("<II", 1, 3) + CONTEXT + struct.pack("<i", 99) + bytes(12),
            UnexpectedError,
            r"byte 40: an element type of 0 float32, .* expected, found 99",
        ),
        (
            head(1) + struct.pack("<Ii", 0xF993FAC9, 1) + bytes(40),
            RefusedError,
            "byte 24: an array that is stored whole .* found storage 1: a sparse array",
        ),
        (listed([array(SMALL["arg:a"])], []), RefusedError, "a name for each array expected"),
        (
            listed([array(SMALL["arg:a"])], [b"arg:a", b"arg:b"]),
            UnexpectedError,
            "1 names expected, found 2",
        ),
        (listed([array(SMALL["arg:a"])], [b"arg:\xff"]), UnexpectedError, "a name in UTF-8"),
        (
            listed([array(SMALL["arg:a"])] * 2, [b"arg:a"] * 2),
            UnexpectedError,
            "found 'arg:a' twice",
        ),
        (
            listed([array(SMALL["arg:a"])], [b"x" * 5000]),
            ExcessError,
            "a name of at most 4096 bytes expected, found 5000",
        ),
        (b"something else, of some length", UnexpectedError, "byte 0: a list of MXNet's arrays"),
    ],
)
def test_damaged_file_is_refused_with_its_place(
    data: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_params(data)


def test_huge_counts_take_no_memory() -> None:
    """A count is compared with what is left before anything is allocated."""
    row = struct.pack("<IiIqq", 0xF993FAC9, 0, 2, 2**31, 2**20) + CONTEXT + bytes(4)
    with pytest.raises(CutShortError, match="needs 9007199254740992 bytes, 0 left"):
        read_params(head(1) + row)


def test_file_is_told_by_its_first_bytes() -> None:
    assert is_params(params(SMALL))
    assert not is_params(b"\x12\x01\x00")
    assert not is_params(Path(__file__).read_bytes())
