"""Caffe's blobs in protobuf's wire format: every form, and every way to be damaged."""

import numpy as np
import pytest

from convert.caffe.model import is_caffemodel, read_caffemodel
from convert.source.errors import (
    CutShortError,
    DamagedSourceError,
    ExcessError,
    RefusedError,
    UnexpectedError,
)
from tests.support.caffe_writer import blob, field, layer, number_field, varint
from tests.support.golden import DATA

PEERS = DATA / "peers" / "caffe"
VALUE = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("form", "shape", "dtype"),
    [
        ("packed", (2, 3), "float32"),
        ("loose", (2, 3), "float32"),
        ("old", (1, 1, 2, 3), "float32"),
        ("double", (2, 3), "float64"),
    ],
    ids=str,
)
def test_blobs_of_every_form_are_read(form: str, shape: tuple[int, ...], dtype: str) -> None:
    data = field(1, b"net") + layer("fc", "InnerProduct", [blob(VALUE, form)])
    found = read_caffemodel(data)
    assert (found.name, len(found.layers)) == ("net", 1)
    [array] = found.layers[0].blobs
    assert (array.shape, array.dtype.name) == (shape, dtype)
    assert array.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert not array.flags.writeable


def test_numbers_in_several_parts_are_joined() -> None:
    shape = field(7, number_field(1, 2) + number_field(1, 3))
    parts = [field(5, part.tobytes()) for part in np.split(VALUE.ravel(), 3)]
    [array] = read_caffemodel(layer("a", "", [b"".join([*parts, shape])])).layers[0].blobs
    assert array.tolist() == VALUE.tolist()


def test_gradients_are_counted_and_left_behind() -> None:
    content = blob(VALUE) + field(6, VALUE.tobytes())
    [found] = read_caffemodel(layer("a", "", [content, blob(VALUE)])).layers
    assert (len(found.blobs), found.gradients) == (2, 1)


@pytest.mark.parametrize(("name", "count"), [("caffe_small", 63), ("caffe_50", 162)], ids=str)
def test_golden_file_is_read(name: str, count: int) -> None:
    found = read_caffemodel((PEERS / f"{name}.caffemodel").read_bytes())
    assert (found.name, sum(bool(each.blobs) for each in found.layers)) == ("ResNet", count)


def test_golden_file_holds_what_a_hex_dump_shows() -> None:
    found = read_caffemodel((PEERS / "caffe_small.caffemodel").read_bytes())
    layer = found.layers[1]
    assert (layer.name, layer.type, len(layer.blobs)) == ("bn_data", "BatchNorm", 3)
    assert layer.blobs[0].tobytes().hex() == "cdccce429a99e942cdccf742"
    assert layer.blobs[2].tolist() == [1.0]


def test_every_prefix_is_refused_or_has_fewer_layers() -> None:
    """A message has no end of its own: where a layer ends, a file may end."""
    first = field(1, b"net") + layer("a", "Scale", [blob(VALUE), blob(VALUE, "loose")])
    whole = first + layer("b", "Scale", [blob(VALUE, "old")])
    for length in range(len(whole)):
        if length in (0, 5, len(first)):
            assert len(read_caffemodel(whole[:length]).layers) < 2
            continue
        with pytest.raises(DamagedSourceError, match=r"^byte \d+"):
            read_caffemodel(whole[:length])


def shaped(*sizes: int) -> bytes:
    return field(7, field(1, b"".join(varint(size) for size in sizes)))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (field(2, b""), RefusedError, r"layers in the form of Caffe before 2015 \(V1\)"),
        (b"\x0b", UnexpectedError, "byte 0: a field of a network .* number 1 of wire type 3"),
        (b"\x00", UnexpectedError, "number 0 of wire type 0"),
        (b"\xff" * 11, UnexpectedError, "byte 0: a field of a network of at most 64 bits"),
        (b"\xff" * 9 + b"\x7f", UnexpectedError, "of at most 64 bits"),
        (b"\x0a" + varint(2**63), CutShortError, "field 1 of a network needs 9223372036854775808"),
        (number_field(100, 3), UnexpectedError, "a layer expected, found wire type 0"),
        (field(1, b"x" * 5000), ExcessError, "a network's name of at most 4096 bytes"),
        (field(1, b"\xff"), UnexpectedError, "a network's name in UTF-8 expected"),
        (
            layer("a", "", [field(5, b"123")]),
            UnexpectedError,
            "numbers of 4 bytes expected, found 3",
        ),
        (
            layer("a", "", [number_field(5, 1)]),
            UnexpectedError,
            "numbers expected, found wire type 0",
        ),
        (
            layer("a", "", [field(5, bytes(8)) + shaped(3)]),
            UnexpectedError,
            r"layer 'a', blob 0: \[3\] declared, that is 3 numbers, found 2",
        ),
        (
            layer("a", "", [shaped(2**40, 2**40)]),
            UnexpectedError,
            "declared, that is 1208925819614629174706176 numbers, found 0",
        ),
        (layer("a", "", [shaped(2**64 - 1, 0)]), UnexpectedError, "sizes of at least 0 expected"),
        (layer("a", "", [shaped(2**62, 2**62, 0)]), UnexpectedError, "no blob can have"),
        (layer("a", "", [shaped(*[1] * 40)]), UnexpectedError, "at most 32 sizes expected"),
        (
            layer("a", "", [number_field(1, 2**62) + number_field(4, 2**62)]),
            UnexpectedError,
            "numbers, found 0",
        ),
    ],
)
def test_damaged_file_is_refused_with_its_place(
    data: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_caffemodel(data)


def test_many_parts_are_refused() -> None:
    one = field(5, bytes(4))
    with pytest.raises(ExcessError, match="at most 240000 blobs and parts of blobs"):
        read_caffemodel(layer("a", "", [one * 240_001]))


def test_many_layers_are_refused() -> None:
    with pytest.raises(ExcessError, match="at most 120000 layers"):
        read_caffemodel(field(100, b"") * 120_001)


@pytest.mark.parametrize(
    ("head", "holds"),
    [
        (field(1, b"net") + layer("a", "", []), True),
        (layer("a", "", []), True),
        (field(1, b"net") + field(2, b""), True),
        (field(1, "Netz für".encode()) + layer("a", "", []), True),
        (field(1, b"ResNet-152")[:5], True),
        (b"", False),
        (b"\n", False),
        (b"\nhello, this is a text\n", False),
        (b"\n\x05abc\nd", False),
        (b"PK\x03\x04", False),
        (b"4\n1\n3\nV 1\n", False),
    ],
    ids=range(11),
)
def test_file_is_told_by_its_first_bytes(head: bytes, holds: bool) -> None:
    assert is_caffemodel(head) is holds


@pytest.mark.parametrize("name", [b"", field(1, b""), field(1, b"net")], ids=repr)
@pytest.mark.parametrize(
    "fields",
    [
        field(3, b"data") + b"".join(number_field(4, size) for size in (1, 3, 96, 96)),
        field(3, b"data") + field(8, field(1, bytes([1, 3, 96, 96]))),
        number_field(5, 1),
        field(6, number_field(1, 1)),
        number_field(7, 0),
    ],
    ids=["input_dim", "input_shape", "force_backward", "state", "debug_info"],
)
def test_other_fields_may_stand_before_the_layers(name: bytes, fields: bytes) -> None:
    head = name + fields
    assert is_caffemodel(head + layer("a", "", []))
    assert not is_caffemodel(head + field(9, b"x") + layer("a", "", []))
