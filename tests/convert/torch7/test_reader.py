"""The reader: golden files of every encoding, hostile bytes, and graphs that hypothesis draws."""

import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convert.torch7 import file as t7
from convert.torch7 import objects
from convert.torch7.cursor import Limits
from convert.torch7.errors import (
    BoundsError,
    EncodingError,
    LimitError,
    NotT7Error,
    T7Error,
    TrailingBytesError,
    TruncatedError,
    UnknownLayoutError,
    UnknownTagError,
)
from tests.support.golden import DATA
from tests.support.t7_writer import (
    ENCODINGS,
    Encoding,
    Function,
    Object,
    Pairs,
    Storage,
    Tensor,
    dumps,
    tensor,
)

FORMATS = DATA / "formats"
# Files whose prefixes take ten seconds or so; tensors.t7 is tried each time.
LONG = ("tensors.ascii.t7", "tensors.long32.t7")
SUFFIXES = pytest.mark.parametrize("suffix", ["", ".ascii", ".long32"], ids=ENCODINGS)
EVERY_ENCODING = pytest.mark.parametrize("encoding", ENCODINGS)


def plain(value: Any) -> Any:
    """Return what was read as Python literals: tensors are (class, nested list)."""
    match value:
        case objects.Table():
            return {key: plain(item) for key, item in value.items()}
        case objects.Tensor() | objects.Storage():
            return (value.type, value.array.tolist())
        case _:
            return value


def read(value: Any, encoding: Encoding = "binary", limits: Limits | None = None) -> Any:
    return t7.loads(dumps(value, encoding), limits=limits).root


# Golden files


@SUFFIXES
def test_scalars_of_torch7_are_read(formats: Path, suffix: str) -> None:
    assert plain(t7.load(formats / f"scalars{suffix}.t7").root) == {
        b"n": 3.25,
        b"whole": 7.0,
        b"neg": -1e300,
        b"inf": float("inf"),
        b"yes": True,
        b"no": False,
        b"text": b"caf\xc3\xa9",
        b"empty": b"",
        b"bytes": b"a\0b\xff",
    }


@SUFFIXES
def test_numbers_of_torch7_are_floats_and_booleans_are_booleans(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"scalars{suffix}.t7").root
    assert type(root[b"whole"]) is float
    assert root[b"yes"] is True
    assert root[b"no"] is False


@SUFFIXES
def test_lists_of_torch7_stay_tables(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"lists{suffix}.t7").root
    assert plain(root) == {
        1.0: {1.0: 1.0, 2.0: 2.0, 3.0: 3.0},
        2.0: {},
        3.0: {1.0: b"a", 2.0: {1.0: b"b", 2.0: {1.0: b"c"}}},
        4.0: {1.0: b"x", 3.0: b"hole"},
        5.0: {0.0: b"zero", 1.0: b"one"},
        6.0: {1.5: b"half", objects.BooleanKey.TRUE: b"bool"},
    }


@SUFFIXES
def test_cycle_of_torch7_is_the_same_table(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"cycle{suffix}.t7").root
    assert root[b"name"] == b"self"
    assert root[b"me"] is root
    assert [item is root for item in root[b"list"].array()] == [True, True]


@SUFFIXES
def test_shared_storage_of_torch7_is_shared_memory(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"shared_storage{suffix}.t7").root
    assert plain(root) == {
        b"all": ("torch.DoubleTensor", [float(n) for n in range(1, 13)]),
        b"row": ("torch.DoubleTensor", [5.0, 6.0, 7.0, 8.0]),
        b"grid": (
            "torch.DoubleTensor",
            [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]],
        ),
        b"column": ("torch.DoubleTensor", [2.0, 6.0, 10.0]),
        b"again": ("torch.DoubleTensor", [float(n) for n in range(1, 13)]),
    }
    assert root[b"again"] is root[b"all"]
    for name in (b"row", b"grid", b"column"):
        assert root[name].storage is root[b"all"].storage
        assert np.shares_memory(root[name].array, root[b"all"].array)


ROWS = {"Byte": int, "Char": int, "Short": int, "Int": int, "Long": int, "Float": float}
ROWS["Double"] = float


@pytest.mark.parametrize("kind", ROWS)
@SUFFIXES
def test_tensors_of_torch7_are_read(formats: Path, suffix: str, kind: str) -> None:
    root = t7.load(formats / f"tensors{suffix}.t7").root
    name, number = kind.encode(), ROWS[kind]
    assert plain(root[name]) == (f"torch.{kind}Tensor", [[1, 2, 3], [4, 5, 6]])
    assert plain(root[name + b"_t"]) == (f"torch.{kind}Tensor", [[1, 4], [2, 5], [3, 6]])
    assert plain(root[name + b"_empty"]) == (f"torch.{kind}Tensor", [])
    assert plain(root[name + b"_storage"]) == (f"torch.{kind}Storage", [1, 2, 3])
    assert type(root[name].array.tolist()[0][0]) is number


DTYPES = {"Byte": "<u1", "Char": "<i1", "Short": "<i2", "Int": "<i4", "Long": "<i8"}
DTYPES |= {"Float": "<f4", "Double": "<f8"}


@pytest.mark.parametrize("kind", DTYPES)
def test_tensors_of_torch7_have_the_element_type_of_their_class(formats: Path, kind: str) -> None:
    root = t7.load(formats / "tensors.t7").root
    for suffix in (b"", b"_t", b"_empty", b"_storage"):
        assert root[kind.encode() + suffix].array.dtype == np.dtype(DTYPES[kind])


@SUFFIXES
def test_limits_of_a_32_bit_long_are_read(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"tensors{suffix}.t7").root
    assert root[b"Long_big"].array.tolist() == [2147483647, -2147483648]


def test_longs_wider_than_32_bits_are_read(formats: Path) -> None:
    root = t7.load(formats / "long_wide.t7").root
    assert plain(root) == ("torch.LongTensor", [1099511627776, -1099511627776])


@SUFFIXES
def test_list_of_tensors_of_torch7_is_read(formats: Path, suffix: str) -> None:
    assert plain(t7.load(formats / f"tensor_list{suffix}.t7").root) == {
        1.0: ("torch.DoubleTensor", [1.0, 2.0, 3.0]),
        2.0: ("torch.FloatTensor", [[1.0, 2.0], [3.0, 4.0]]),
        3.0: {1.0: ("torch.LongTensor", [7])},
    }


HALF = [[1.0, 0.5, -2.0], [65504.0, 6.103515625e-05, 0.3330078125]]


def test_half_tensor_of_torch7_is_read(formats: Path) -> None:
    root = t7.load(formats / "half.t7").root
    assert plain(root) == {b"Half": ("torch.HalfTensor", HALF)}
    assert root[b"Half"].array.dtype == np.dtype("<f2")


def test_cuda_tensors_of_torch7_are_read(formats: Path) -> None:
    assert plain(t7.load(formats / "cuda.t7").root) == {
        b"f": ("torch.CudaTensor", [1.0, 2.0]),
        b"d": ("torch.CudaDoubleTensor", [3.0, 4.0]),
        b"l": ("torch.CudaLongTensor", [5, 6]),
        b"h": ("torch.CudaHalfTensor", HALF),
    }


def test_functions_of_torch7_are_opaque_and_what_follows_is_read(formats: Path) -> None:
    root = t7.load(formats / "functions.t7").root
    assert root[b"after"] == b"still readable"
    assert root[b"plain"].dumped.startswith(b"\x1bLJ")  # LuaJIT's bytecode
    # An upvalue is {name, value}, or the environment that Torch7 does not write.
    assert 5.0 in [
        upvalue.get(b"value") for upvalue in root[b"closure"].upvalues.array() if upvalue
    ]


def test_hundred_levels_of_torch7_are_read(formats: Path) -> None:
    at = t7.load(formats / "nested100.t7").root
    for number in range(1, 101):
        at = at[b"next"]
        assert at[b"i"] == number
    assert b"next" not in at


def test_twenty_thousand_levels_of_torch7_are_refused(formats: Path) -> None:
    with pytest.raises(LimitError, match="more than 2000 values inside each other") as caught:
        t7.load(formats / "nested20000.t7")
    assert caught.value.limit == 2000


def test_bytes_behind_the_value_are_counted(formats: Path) -> None:
    with pytest.raises(TrailingBytesError, match="14 bytes behind the end") as caught:
        t7.load(formats / "stray_tail.t7")
    assert (caught.value.offset, caught.value.found) == (60, 14)


@pytest.mark.parametrize(
    ("name", "encoding", "long_bytes"),
    [
        ("tensors.t7", "binary", 8),
        ("tensors.long32.t7", "binary", 4),
        ("tensors.ascii.t7", "ascii", None),
    ],
    ids=ENCODINGS,
)
def test_encoding_and_width_are_told_without_help(
    formats: Path, name: str, encoding: str, long_bytes: int | None
) -> None:
    file = t7.load(formats / name)
    assert (file.encoding, file.long_bytes) == (encoding, long_bytes)
    assert file.bytes == (formats / name).stat().st_size


@SUFFIXES
def test_arrays_are_read_only(formats: Path, suffix: str) -> None:
    root = t7.load(formats / f"tensors{suffix}.t7").root
    assert [name for name, value in root.items() if value.array.flags.writeable] == []


def test_arrays_of_a_binary_file_are_views_of_it() -> None:
    data = dumps(tensor(np.arange(4, dtype=np.float32)))
    assert np.shares_memory(t7.loads(data).root.array, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.slow) if path.name in LONG else path
        for path in sorted(FORMATS.glob("*.t7"))
    ],
    ids=lambda path: path.name,
)
def test_every_proper_prefix_is_refused(path: Path) -> None:
    data = path.read_bytes()
    whole = 60 if path.name == "stray_tail.t7" else len(data)  # a legal file, then a tail
    for length in range(0, whole, 25 if path.name == "nested100.t7" else 1):
        with pytest.raises(T7Error):
            t7.loads(data[:length])


@pytest.mark.parametrize("name", ["cifar_c", "flat_storage", "long32", "ascii"])
def test_network_that_is_cut_short_is_said_to_be(golden: Callable[[str], Any], name: str) -> None:
    data = golden(name).path.read_bytes()
    # A text is parsed number by number, which takes longer.
    places, last = (6, 3) if name == "ascii" else (40, 20)
    ends = (*range(300, len(data), len(data) // places), *range(len(data) - last, len(data)))
    for length in ends:
        with pytest.raises(TruncatedError, match="the file is cut short"):
            t7.loads(data[:length])


# References, keys and functions, in every encoding


@EVERY_ENCODING
def test_boolean_and_number_keys_are_distinct(encoding: Encoding) -> None:
    root = read(Pairs([(True, "t"), (1, "one"), (False, "f"), (0, "zero")]), encoding)
    assert plain(root) == {
        objects.BooleanKey.TRUE: b"t",
        1.0: b"one",
        objects.BooleanKey.FALSE: b"f",
        0.0: b"zero",
    }


def test_tables_are_equal_to_themselves_alone() -> None:
    root = read([{"a": 1}, {"a": 1}])
    first, second = root.array()
    assert first != second
    assert not first != root[1.0]  # noqa: SIM202


@EVERY_ENCODING
def test_reference_values_can_be_keys(encoding: Encoding) -> None:
    keys = ({}, Object("nn.Key"), Function(b"f"), tensor([1.0]), Storage("Byte", [1]))
    root = read(Pairs([(key, number) for number, key in enumerate(keys)]), encoding)
    assert list(root.values()) == [0.0, 1.0, 2.0, 3.0, 4.0]


@EVERY_ENCODING
@pytest.mark.parametrize("tag", [7, 8])
def test_function_that_is_its_own_upvalue_is_read(encoding: Encoding, tag: int) -> None:
    function = Function(b"\x1bLJ", tag=tag)
    function.upvalues = [{"name": "again", "value": function}]
    root = read({"f": function, "after": 1}, encoding)
    assert root[b"f"].upvalues[1.0][b"value"] is root[b"f"]
    assert root[b"f"].dumped == b"\x1bLJ"
    assert root[b"after"] == 1.0


@EVERY_ENCODING
def test_function_without_an_index_is_read(encoding: Encoding) -> None:
    root = read([Function(b"code", [1], tag=6), "after"], encoding)
    assert (root[1.0].dumped, plain(root[1.0].upvalues)) == (b"code", {1.0: 1.0})
    assert root[2.0] == b"after"


@EVERY_ENCODING
def test_object_keeps_class_version_and_fields(encoding: Encoding) -> None:
    root = read(Object("nn.Linear", {"train": False}, version="V 2"), encoding)
    assert (root.type, root.version, plain(root.fields)) == ("nn.Linear", 2, {b"train": False})


@EVERY_ENCODING
def test_object_older_than_versions_is_read(encoding: Encoding) -> None:
    root = read(Object("nn.Linear", {"train": False}, version=None), encoding)
    assert (root.type, root.version, plain(root.fields)) == ("nn.Linear", 0, {b"train": False})


@EVERY_ENCODING
def test_object_inside_itself_is_the_same_object(encoding: Encoding) -> None:
    inner = Object("nn.Inner")
    inner.fields = {"me": inner}
    root = read(inner, encoding)
    assert root.fields[b"me"] is root


@EVERY_ENCODING
def test_object_inside_itself_starts_where_it_is_first_written(encoding: Encoding) -> None:
    inner = Object("nn.Inner")
    inner.fields = {"me": inner}
    assert read(inner, encoding).offset == 0


def test_object_knows_the_byte_at_which_it_starts() -> None:
    assert read([Object("nn.X"), Object("nn.Y")])[2.0].offset == 71


def test_reference_back_to_an_object_keeps_its_offset() -> None:
    module = Object("nn.X")
    assert read([module, module])[2.0].offset == 24


@EVERY_ENCODING
@pytest.mark.parametrize("kind", ["Byte", "Char", "Short", "Int", "Long", "Half", "Float"])
@pytest.mark.parametrize("cuda", ["", "Cuda"], ids=["cpu", "cuda"])
def test_every_storage_class_is_read_and_so_is_what_follows(
    encoding: Encoding, kind: str, cuda: str
) -> None:
    name = cuda if cuda and kind == "Float" else cuda + kind
    root = read([Storage(name, [1, 2, 3]), "after"], encoding)
    assert plain(root) == {1.0: (f"torch.{name}Storage", [1, 2, 3]), 2.0: b"after"}


@EVERY_ENCODING
@pytest.mark.parametrize("kind", ["Byte", "Long", "Float"])
def test_empty_storage_is_read_and_so_is_what_follows(encoding: Encoding, kind: str) -> None:
    root = read([Storage(kind, []), "after"], encoding)
    assert plain(root) == {1.0: (f"torch.{kind}Storage", []), 2.0: b"after"}


@EVERY_ENCODING
def test_tensor_without_axes_keeps_its_storage(encoding: Encoding) -> None:
    root = read(Tensor("Float", Storage("Float", [1, 2]), (), ()), encoding)
    assert (root.array.shape, root.storage.array.tolist()) == ((0,), [1.0, 2.0])


@EVERY_ENCODING
def test_stride_of_an_axis_of_one_element_does_not_matter(encoding: Encoding) -> None:
    far = 2**31 - 1 if encoding == "long32" else 2**62
    storage = Storage("Float", [1, 2, 3])
    root = read(Tensor("Float", storage, (1, 3), (far, 1)), encoding)
    assert root.array.tolist() == [[1.0, 2.0, 3.0]]


@EVERY_ENCODING
def test_expanded_tensor_is_read_without_memory(encoding: Encoding) -> None:
    shape = (2**16, 2**20)
    root = read(Tensor("Float", Storage("Float", [7]), shape, (0, 0)), encoding)
    assert (root.array.shape, root.array.strides, root.array[-1, -1]) == (shape, (0, 0), 7.0)


# Errors, one test a leaf and attribute


def test_truncated_error_tells_what_is_left() -> None:
    with pytest.raises(TruncatedError) as caught:
        t7.loads(dumps("twelve bytes")[:-5])
    error = caught.value
    assert (error.offset, error.expected, error.found) == (8, 12, 7)
    assert str(error).endswith(
        "a string needs 12 bytes, 7 left; the file is cut short, copy or download it again"
    )


@EVERY_ENCODING
def test_unknown_tag_error_tells_the_tag(encoding: Encoding) -> None:
    tag = b"9\n" if encoding == "ascii" else b"\x09\0\0\0"
    table = dumps([1], encoding).removesuffix(dumps(1, encoding))
    with pytest.raises(UnknownTagError) as caught:
        t7.loads(table + tag)
    assert (caught.value.found, caught.value.offset) == (9, len(table))


def test_encoding_error_tells_the_text() -> None:
    with pytest.raises(EncodingError, match="an integer expected, found b'x'") as caught:
        t7.loads(b"3\n1\nx\n")
    assert caught.value.offset == 4


def test_not_t7_error_tells_what_it_is() -> None:
    with pytest.raises(NotT7Error) as caught:
        t7.loads(b"PK\x03\x04...")
    assert caught.value.found.startswith("a zip archive")


def test_bounds_error_tells_where() -> None:
    with pytest.raises(BoundsError, match="element 5 addressed, the storage has 4") as caught:
        read(Tensor("Float", Storage("Float", [1, 2, 3, 4]), (2,), (1,), offset=4))
    assert caught.value.offset == 36


def test_every_message_starts_with_its_byte() -> None:
    with pytest.raises(TruncatedError, match=r"^byte 4: "):
        t7.loads(b"\x01\0\0\0")


def test_empty_bytes_are_refused() -> None:
    with pytest.raises(NotT7Error, match="an empty file"):
        t7.loads(b"")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.t7").touch()
    with pytest.raises(NotT7Error, match="an empty file"):
        t7.load(tmp_path / "x.t7")


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        t7.load(tmp_path / "x.t7")


# Limits


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: Pairs([(value, 1)]),
        lambda value: Object("nn.X", value),
        lambda value: Function(b"", value),
        lambda value: Function(b"", value, tag=6),
    ],
    ids=["value", "key", "object", "function", "function without index"],
)
def test_depth_is_limited_whatever_is_nested(wrap: Callable[[Any], Any]) -> None:
    value = wrap("innermost")
    for _ in range(198):
        value = wrap(value)
    read(value, limits=Limits(depth=200))
    with pytest.raises(LimitError, match="more than 200 values inside each other"):
        read(wrap(value), limits=Limits(depth=200))


LEVELS = {
    "tables": lambda n: struct.pack("<3iid", 3, n, 1, 1, 1.0),
    "keys": lambda n: struct.pack("<3i", 3, n, 1),
    "objects": lambda n: torch_object(n, b"nn.X", b""),
    "functions": lambda n: struct.pack("<3i", 8, n, 0),
    "tensors": lambda n: torch_object(n, b"torch.FloatTensor", struct.pack("<i3q", 1, 1, 1, 1)),
    "vectors": lambda n: torch_object(n, b"tds.Vec", struct.pack("<q", 1), b"V 0"),
}


def torch_object(index: int, name: bytes, body: bytes, version: bytes = b"V 1") -> bytes:
    lengths = struct.pack("<3i", 4, index, len(version)) + version + struct.pack("<i", len(name))
    return lengths + name + body


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("fits", [True, False], ids=["fits", "too deep"])
def test_two_thousand_levels_of_any_kind_are_the_limit(name: str, fits: bool) -> None:
    """A graph of 70 nodes in a row has about 300; Python alone would end at a thousand calls."""
    most = 200 if name in ("tensors", "vectors") else 2000
    levels = most - 5 if fits else most + 5
    before = sys.getrecursionlimit()
    data = b"".join(LEVELS[name](n) for n in range(1, levels)) + struct.pack("<id", 1, 5.0)
    if name == "keys":
        data += struct.pack("<id", 1, 6.0) * (levels - 1)
    if not fits:
        with pytest.raises(LimitError, match="more than 2000 values inside each other"):
            t7.loads(data)
    elif name == "tensors":
        with pytest.raises(BoundsError, match=r"the storage of a torch\.FloatTensor expected"):
            t7.loads(data)
    else:
        t7.loads(data)
    assert sys.getrecursionlimit() == before


def test_reference_with_the_tag_of_another_type_is_the_object_it_names() -> None:
    # found by fuzzing
    tensor_and_reference = (
        struct.pack("<3i", 3, 1, 2)
        + struct.pack("<id", 1, 1.0)
        + struct.pack("<3i", 4, 2, 3)
        + b"V 1"
        + struct.pack("<i", 17)
        + b"torch.FloatTensor"
        + struct.pack("<iqi", 0, 1, 0)
        + struct.pack("<id", 1, 2.0)
        + struct.pack("<2i", 3, 2)
    )
    table = t7.loads(tensor_and_reference).root
    assert table[2.0] is table[1.0]
    assert table[1.0].type == "torch.FloatTensor"


def test_table_with_the_key_nil_is_refused() -> None:
    with pytest.raises(BoundsError, match="byte 0: a table with the key nil"):
        read(Pairs([(None, 1)]))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(values=3), "more than 3 values"),
        (Limits(objects=2), "more than 2 objects"),
    ],
    ids=["values", "objects"],
)
def test_number_of_values_and_objects_is_limited(limits: Limits, message: str) -> None:
    read([[], 1], limits=Limits(values=5, objects=3))
    with pytest.raises(LimitError, match=message):
        read([[], [], [], 1], limits=limits)


def test_tensors_as_storages_of_tensors_are_refused() -> None:
    value: Any = None
    for _ in range(300):
        value = Tensor("Float", value, (1,), (1,))
    with pytest.raises(LimitError, match="more than 2000 values inside each other"):
        read(value)


@EVERY_ENCODING
def test_number_of_objects_is_limited(encoding: Encoding) -> None:
    limits = Limits(objects=10)
    read([{} for _ in range(9)], encoding, limits)
    with pytest.raises(LimitError, match="more than 10 objects"):
        read([{} for _ in range(12)], encoding, limits)


@pytest.mark.parametrize("most", [Limits(objects=2), Limits(values=3)], ids=["objects", "values"])
def test_large_storages_leave_room_to_more_values(most: Limits) -> None:
    weights, small = Storage("Byte", bytes(1 << 18)), Storage("Byte", bytes((1 << 18) - 1))
    read([weights, *({} for _ in range(100))], limits=most)
    for storage, encoding in ((small, "binary"), (weights, "ascii")):
        with pytest.raises(LimitError, match=r"more than [23] (objects|values);"):
            read([storage, *({} for _ in range(100))], encoding, most)


@EVERY_ENCODING
def test_length_of_a_string_is_limited(encoding: Encoding) -> None:
    limits = Limits(string=5)
    assert read("12345", encoding, limits) == b"12345"
    with pytest.raises(LimitError, match="more than 5 bytes in a string"):
        read("123456", encoding, limits)


# Hostile records: each a T7Error, at once and without memory

FOUR = [1.0, 2.0, 3.0, 4.0]


def hostile_tensor(shape: Any, stride: Any, offset: int = 1, **claims: Any) -> Tensor:
    return Tensor("Float", Storage("Float", FOUR), shape, stride, offset, **claims)


def tensor_in_its_own_storage() -> Tensor:
    value = Tensor("Float", None, (2,), (1,))
    value.storage = value
    return value


HOSTILE = {
    "negative size": hostile_tensor((-1,), (1,)),
    "negative size beside none": hostile_tensor((0, -5), (1, 1)),
    "negative size without storage": Tensor("Float", None, (0, -5), (1, 1)),
    "negative stride": hostile_tensor((2,), (-1,)),
    "size beyond the storage": hostile_tensor((5,), (1,)),
    "stride beyond the storage": hostile_tensor((2, 2), (3, 1)),
    "huge stride": hostile_tensor((2,), (2**31 - 1,)),
    "offset zero": hostile_tensor((2,), (1,), offset=0),
    "negative offset": hostile_tensor((2,), (1,), offset=-7),
    "offset at the end": hostile_tensor((1,), (1,), offset=5),
    "huge offset": hostile_tensor((1,), (1,), offset=2**31 - 1),
    "huge axes": hostile_tensor((1,), (1,), axes=2**31 - 1),
    "negative axes": hostile_tensor((1,), (1,), axes=-1),
    "seventeen axes": hostile_tensor((1,) * 17, (1,) * 17),
    "more elements than memory": hostile_tensor((2**31 - 1,) * 3, (0, 0, 0)),
    "empty and huge": hostile_tensor((0, 2**31 - 1, 2**31 - 1), (1, 1, 1)),
    "empty and huge without storage": Tensor("Float", None, (0, *[2**31 - 1] * 3), (1,) * 4),
    "no storage": Tensor("Float", None, (1,), (1,)),
    "own storage": tensor_in_its_own_storage(),
    "storage of another type": Tensor("Float", Storage("Double", FOUR), (2,), (1,)),
    "cuda storage": Tensor("Float", Storage("Cuda", FOUR), (2,), (1,)),
    "tensor as storage": Tensor("Float", tensor(FOUR), (2,), (1,)),
    "table as storage": Tensor("Float", FOUR, (2,), (1,)),
    "string as storage": Tensor("Float", "storage", (2,), (1,)),
    "storage of negative size": Storage("Float", [], size=-1),
    "storage of huge size": Storage("Float", FOUR, size=2**31 - 1),
    "byte storage of huge size": Storage("Byte", [1], size=2**31 - 1),
    "byte storage of negative size": Storage("Byte", [1], size=-(2**31)),
    "version that is no number": Object("nn.X", version="V x"),
    "negative version": Object("nn.X", version="V -1"),
    "version in scientific notation": Object("nn.X", version="V 1e9"),
    "version of many digits": Object("nn.X", version="V 99999999999"),
    "empty class name": Object(""),
    "class name with a space": Object("nn. X"),
    "class name with a newline": Object("nn.\nX"),
    "class name that is no ASCII": Object("nn.\u00e9"),
    "class name that is no UTF-8": Object(b"nn.\xff"),
    "endless class name": Object("n" * 1000),
}


@EVERY_ENCODING
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_record_is_refused(name: str, encoding: Encoding) -> None:
    with pytest.raises(T7Error):
        read([HOSTILE[name], "after"], encoding)


@pytest.mark.parametrize(
    ("shape", "stride"),
    [((2**62, 2**62), (0, 0)), ((0, 2**62, 2**62), (1, 1, 1)), ((2, 1), (2**62, 1))],
    ids=["expanded", "empty", "stride"],
)
@pytest.mark.parametrize("encoding", ["binary", "ascii"])
def test_tensor_of_64_bit_sizes_is_refused(
    shape: tuple[int, ...], stride: tuple[int, ...], encoding: Encoding
) -> None:
    with pytest.raises(T7Error):
        read(hostile_tensor(shape, stride), encoding)


@EVERY_ENCODING
def test_storage_of_2_to_the_62_elements_is_refused(encoding: Encoding) -> None:
    size = 2**31 - 1 if encoding == "long32" else 2**62
    with pytest.raises(TruncatedError):
        read(Storage("Double", FOUR, size=size), encoding)


@EVERY_ENCODING
def test_table_of_negative_size_is_refused(encoding: Encoding) -> None:
    text = {"ascii": b"3\n1\n-1\n"}.get(encoding, b"\x03\0\0\0\x01\0\0\0\xff\xff\xff\xff")
    with pytest.raises(BoundsError, match="a table of -1 entries"):
        t7.loads(text)


@EVERY_ENCODING
def test_table_of_huge_size_is_refused(encoding: Encoding) -> None:
    text = {"ascii": b"3\n1\n2147483647\n"}.get(encoding, b"\x03\0\0\0\x01\0\0\0\xff\xff\xff\x7f")
    with pytest.raises(TruncatedError):
        t7.loads(text)


@EVERY_ENCODING
def test_string_of_negative_length_is_refused(encoding: Encoding) -> None:
    text = {"ascii": b"2\n-1\n"}.get(encoding, b"\x02\0\0\0\xff\xff\xff\xff")
    with pytest.raises(BoundsError):
        t7.loads(text)


@pytest.mark.parametrize(
    "data",
    [
        b"1\n" + b" " * 100_000,
        b"1\n" + b"1" * 100_000,
        b"3\n" + b"1" * 60 + b"\n" + b"1" * 60 + b"\n",
        b"1\nnumber\n",
        b"1\n0x10\n",
        b"3\n1.5\n0\n",
        b"2\n3\nabcd\n",
        b"2\n3\nabc",
        b"3\n1",
        b"\xb2\n",
    ],
    ids=[
        "blanks",
        "endless number",
        "huge integers",
        "text for a number",
        "hexadecimal",
        "fraction for an integer",
        "string longer than said",
        "no newline behind a string",
        "no end of an integer",
        "digit of another alphabet",
    ],
)
def test_hostile_text_is_refused(data: bytes) -> None:
    with pytest.raises(T7Error):
        t7.loads(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_changed_byte_is_refused_or_read(data: st.DataObject) -> None:
    """Nothing but a T7Error comes out of a damaged file."""
    encoding = data.draw(st.sampled_from(ENCODINGS))
    value = [tensor(np.ones((2, 3))), Object("nn.X", {"a": [1, True]}), Function(b"xy"), "text"]
    raw = bytearray(dumps(value, encoding))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(T7Error):
        t7.loads(bytes(raw), limits=Limits(string=1000))


# Classes that write themselves


@pytest.mark.parametrize("long", ["<q", "<i"], ids=["eight bytes", "four bytes"])
def test_vector_and_hash_of_tds_are_read(long: str) -> None:
    two, five = struct.pack(long, 2), struct.pack("<id", 1, 5.0)
    six, last = b"\x02\0\0\0\x03\0\0\0six", struct.pack("<2i", 5, 1)
    vector = torch_object(2, b"tds.Vec", two + five + six, b"V 0")
    mapping = torch_object(3, b"tds.Hash", two + six + five + five + six, b"V 0")
    items = (vector, mapping, last)
    data = struct.pack("<3i", 3, 1, 3)
    data += b"".join(struct.pack("<id", 1, n) + item for n, item in enumerate(items, 1))
    root = t7.loads(data).root
    assert (root[1.0].type, plain(root[1.0].fields)) == ("tds.Vec", {1.0: 5.0, 2.0: b"six"})
    assert (root[2.0].type, plain(root[2.0].fields)) == ("tds.Hash", {b"six": 5.0, 5.0: b"six"})
    assert root[3.0] is True


def test_vector_of_tds_in_a_text_is_read() -> None:
    root = t7.loads(b"4\n1\n3\nV 0\n7\ntds.Vec\n2\n1\n5\n2\n3\nsix\n").root
    assert plain(root.fields) == {1.0: 5.0, 2.0: b"six"}


@pytest.mark.parametrize("count", [-1, 2**62])
def test_vector_of_impossible_length_is_refused(count: int) -> None:
    with pytest.raises(T7Error, match=r"byte 26|byte 34"):
        t7.loads(torch_object(1, b"tds.Vec", struct.pack("<q", count), b"V 0"))


def test_hash_inside_itself_is_refused() -> None:
    itself = struct.pack("<qid2i", 1, 1, 1.0, 4, 1)
    with pytest.raises(BoundsError, match="a reference to what is not yet read"):
        t7.loads(torch_object(1, b"tds.Hash", itself, b"V 0"))


@pytest.mark.parametrize(("long", "size"), [("<q", 5048), ("<i", 2544)], ids=["8", "4"])
def test_state_of_random_numbers_is_read_and_so_is_what_follows(long: str, size: int) -> None:
    generator = torch_object(2, b"torch.Generator", bytes(n % 200 for n in range(size)))
    vector = torch_object(3, b"tds.Vec", struct.pack(long, 0), b"V 0")
    data = struct.pack("<3iid", 3, 1, 2, 1, 1.0) + generator + struct.pack("<id", 1, 2.0) + vector
    root = t7.loads(data).root
    assert (root[1.0].type, root[1.0].array.size) == ("torch.Generator", size)
    assert root[2.0].type == "tds.Vec"


def test_state_of_random_numbers_in_a_text_is_read() -> None:
    """Bytes are written raw in a text too: here with what could be numbers and ends of lines."""
    state = bytes((10, 49, 32, 0, 255)[n % 5] for n in range(5048))
    data = b"3\n1\n2\n1\n1\n4\n2\n3\nV 1\n15\ntorch.Generator\n" + state + b"\n1\n2\n1\n7\n"
    root = t7.loads(data).root
    assert root[1.0].array.tobytes() == state
    assert root[2.0] == 7.0


@EVERY_ENCODING
def test_class_that_writes_itself_is_named_and_not_called_damage(encoding: Encoding) -> None:
    data = dumps([tensor([1.0]), Object("my.Counter", 1e300), "after"], encoding)
    number = dumps(1e300, encoding)
    data = data.replace(number, b"77\n" if encoding == "ascii" else struct.pack("<q", 77))
    with pytest.raises(UnknownLayoutError) as caught:
        t7.loads(data)
    assert caught.value.found == "my.Counter"
    assert "after an object of class my.Counter, whose layout is not known here" in str(
        caught.value
    )
    assert "damaged" not in str(caught.value)


def test_fault_behind_modules_is_damage() -> None:
    with pytest.raises(TruncatedError):
        t7.loads(dumps([Object("nn.X"), "text"])[:-1])


# Several values in one file


@EVERY_ENCODING
def test_first_of_several_values_is_read(encoding: Encoding) -> None:
    several = dumps([tensor([1.0])], encoding) + dumps({"a": [1]}, encoding) + dumps(2, encoding)
    file = t7.loads(several)
    assert (plain(file.root), file.others) == ({1.0: ("torch.FloatTensor", [1.0])}, 2)


@pytest.mark.parametrize("tail", [bytes(8), b"x", struct.pack("<i", 1), struct.pack("<i", 9)])
def test_bytes_that_are_no_value_behind_the_first_are_refused(tail: bytes) -> None:
    with pytest.raises(TrailingBytesError):
        t7.loads(dumps([1]) + dumps(2) + tail)


# Keys that collide


def collisions(count: int) -> list[float]:
    """Return whole numbers that a dict of Python keeps one behind the other, then others that have
    to pass all of them."""
    bits = (count * 3).bit_length()
    slot, chain = 1, []
    while len(chain) < count // 2:
        chain.append(float(slot))
        slot = (5 * slot + 1) % (1 << bits)
    return [*chain, *[chain[0] + (k << 40) for k in range(1, count // 2)]]


@pytest.mark.parametrize("kind", ["keys", "indices"])
def test_keys_that_collide_take_no_time(kind: str) -> None:
    numbers = collisions(100_000)
    if kind == "keys":
        numbers = [*numbers, *[numbers[49_999]] * 100_000]
        entries = [struct.pack("<idid", 1, number, 1, 0.0) for number in numbers]
    else:
        numbers = numbers[:50_000]
        entries = [struct.pack("<id3i", 1, n, 3, int(k), 0) for n, k in enumerate(numbers, 2)]
        entries += [struct.pack("<id2i", 1, 2.0, 3, int(numbers[-1]))] * 100_000
    start = time.monotonic()
    t7.loads(struct.pack("<3i", 3, 1 << 30, len(entries)) + b"".join(entries))
    assert time.monotonic() - start < 20  # in a dict 50,000 x 100,000 steps


def test_number_keys_in_any_order_are_found() -> None:
    root = read(Pairs([(2, "b"), (1, "a"), (3, "c"), (0.5, "half"), (-0.0, "zero"), (4, "d")]))
    assert root.array() == [b"a", b"b", b"c", b"d"]
    assert (root[0.5], root[0.0], root[-0.0], root.get(1.5)) == (b"half", b"zero", b"zero", None)
    assert list(root) == [2.0, 1.0, 3.0, 0.5, 0.0, 4.0]
    assert len(root) == 6


def test_table_with_the_key_nan_is_refused() -> None:
    with pytest.raises(BoundsError, match="a table with the key nan"):
        read(Pairs([(float("nan"), 1)]))


# Round trip of any legal graph

NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
SCALARS = st.none() | st.booleans() | NUMBERS | st.binary(max_size=8)
KEYS = st.binary(max_size=4) | st.integers(-3, 5).map(float) | st.booleans()
KINDS = ("Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double")


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    kind = draw(st.sampled_from(KINDS))
    low = 0 if kind == "Byte" else -100
    values = draw(st.lists(st.integers(low, 100), max_size=12))
    name = draw(st.sampled_from([kind, "Cuda" if kind == "Float" else f"Cuda{kind}"]))
    return Storage(name, values)


@st.composite
def tensors(draw: st.DrawFn, storage: Storage) -> Tensor:
    """A tensor that stays in its storage: sizes first, then strides that fit."""
    left = len(storage.values)
    if not left:
        return Tensor(storage.kind, draw(st.sampled_from([None, storage])), (), ())
    offset = draw(st.integers(1, left))
    left -= offset
    shape, stride = [], []
    for size in draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)):
        step = draw(st.integers(0, left // (size - 1) if size > 1 else 100))
        left -= (size - 1) * step
        shape.append(size)
        stride.append(step)
    return Tensor(storage.kind, storage, shape, stride, offset)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Tables, objects and functions that refer to each other in any way, and share tensors."""
    stores = draw(st.lists(storages(), max_size=3))
    leaves: list[Any] = [*stores]
    for storage in stores:
        leaves += draw(st.lists(tensors(storage), max_size=2))
    nodes: list[Any] = [Pairs([])]
    for kind in draw(st.lists(st.sampled_from("tofg"), max_size=6)):
        match kind:
            case "t":
                nodes.append(Pairs([]))
            case "o":
                nodes.append(Object("nn.Thing", version=draw(st.sampled_from([None, "V 1"]))))
            case "f":
                nodes.append(Function(draw(st.binary(max_size=5))))
            case "g":
                nodes.append(Function(draw(st.binary(max_size=5)), tag=7))
    values = SCALARS | st.sampled_from([*nodes, *leaves])
    for node in nodes:
        match node:
            case Pairs():
                keys = draw(st.lists(KEYS, max_size=5, unique_by=lambda key: (type(key), key)))
                node.pairs = [(key, draw(values)) for key in keys]
            case Object():
                node.fields = draw(values)
            case Function():
                node.upvalues = draw(values)
    return nodes[0]


def assert_same(written: Any, found: Any, pairs: dict[int, int]) -> None:
    """Compare a written graph with a read one, references included."""
    if written is None or isinstance(written, bool | bytes | int | float):
        assert found == written
        assert isinstance(found, bool) == isinstance(written, bool)
        return
    if id(written) in pairs:
        assert pairs[id(written)] == id(found)
        return
    pairs[id(written)] = id(found)
    match written:
        case Pairs():
            keys = {
                objects.BooleanKey(key) if isinstance(key, bool) else key: value
                for key, value in written.pairs
            }
            assert found.keys() == keys.keys()
            for key, value in keys.items():
                assert_same(value, found[key], pairs)
        case Object():
            assert (found.type, found.version) == (written.type, int(written.version is not None))
            assert_same(written.fields, found.fields, pairs)
        case Function():
            assert found.dumped == written.dumped
            assert_same(written.upvalues, found.upvalues, pairs)
        case Storage():
            assert found.type == f"torch.{written.kind}Storage"
            assert found.array.tolist() == written.values
        case Tensor():
            assert found.type == f"torch.{written.kind}Tensor"
            assert_same(written.storage, found.storage, pairs)
            assert found.array.shape == (tuple(written.shape) or (0,))
            for index in np.ndindex(tuple(written.shape) if written.shape else (0,)):
                at = written.offset - 1 + sum(map(int.__mul__, index, written.stride))
                assert found.array[index] == written.storage.values[at]


@EVERY_ENCODING
@given(graph=graphs())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_legal_graph_is_read_back(encoding: Encoding, graph: Any) -> None:
    # A tensor in front tells the width of `long`; no network is without one.
    assert_same(graph, read([tensor([1.0, 2.0]), graph], encoding)[2.0], {})


@given(graph=graphs(), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_prefix_of_any_legal_graph_is_refused(graph: Any, data: st.DataObject) -> None:
    raw = dumps([tensor([1.0, 2.0]), graph], data.draw(st.sampled_from(ENCODINGS)))
    with pytest.raises(T7Error):
        t7.loads(raw[: data.draw(st.integers(0, len(raw) - 1))])


# Good manners


def test_torchfile_of_the_same_process_keeps_its_handlers() -> None:
    assert torchfile.type_handlers[b"torch.FloatTensor"].__module__ == "torchfile"
    assert b"torch.CudaLongTensor" not in torchfile.type_handlers
    assert torchfile.hashable_uniq_dict is not objects.Table
    assert torchfile.TorchObject is not objects.Object


def test_torchfile_of_the_same_process_reads_what_it_read(tmp_path: Path) -> None:
    path = tmp_path / "x.t7"
    path.write_bytes(dumps({"list": [1, 2], "object": Object("nn.X", {"a": 1})}))
    t7.load(path)
    root = torchfile.load(str(path))
    assert root[b"list"] == [1, 2]
    assert root[b"object"].torch_typename() == b"nn.X"


def test_reader_does_not_import_torch() -> None:
    code = (
        "import sys; from convert.torch7 import file as t7; t7.load(t7.Path(sys.argv[1])); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(FORMATS / "tensors.t7")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_file_can_be_removed_while_its_arrays_are_in_use(tmp_path: Path) -> None:
    path = tmp_path / "x.t7"
    path.write_bytes(dumps(tensor(np.arange(3, dtype=np.float32))))
    root = t7.load(path).root
    path.unlink()
    assert root.array.tolist() == [0.0, 1.0, 2.0]
