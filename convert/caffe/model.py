"""Reads the blobs of a `.caffemodel`: a NetParameter of caffe.proto; they stay in the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from convert.caffe.wire import BYTES, EIGHT, FOUR, VARINT, Field, read_fields, read_varint
from convert.source.cursor import Buffer, ByteCursor
from convert.source.errors import (
    DamagedSourceError,
    ExcessError,
    RefusedError,
    UnexpectedError,
)
from convert.source.source import Array
from resnext.fields import cut, shown

# Fields of caffe.proto: of NetParameter ...
NAME, OLD_LAYERS, LAYER = 1, 2, 100
# ... of LayerParameter ...
LAYER_NAME, LAYER_TYPE, BLOBS = 1, 2, 7
# ... of BlobProto, where the first four are sizes of before 2015, and `diff` is the gradient ...
OLD_SIZES, DATA, DIFF, SHAPE, DOUBLE_DATA, DOUBLE_DIFF = (1, 2, 3, 4), 5, 6, 7, 8, 9
# ... and of BlobShape.
DIM = 1

FLOAT: Final[np.dtype[np.generic]] = np.dtype("<f4")
DOUBLE: Final[np.dtype[np.generic]] = np.dtype("<f8")

# The tags of a name, a layer and one of before 2015; and the fields that may stand before layers:
# name, input, its sizes, force_backward, state, debug_info.
NAME_TAG: Final = b"\x0a"
NEXT_LAYER: Final = b"\xa2\x06"
NEXT_OLD: Final = b"\x12"
HEAD_FIELDS: Final = {
    **dict.fromkeys((NAME, 3, 6, 8), BYTES),
    **dict.fromkeys((4, 5, 7), VARINT),
}

# A ResNet of 6000 blocks has 60,000 layers. What is read of a file takes less than 100 MB of memory
# besides the numbers that are written one by one, which take what they take in the file.
MOST_LAYERS: Final = 120_000
MOST_PARTS: Final = 240_000
MOST_AXES: Final = 32
LONGEST_TEXT: Final = 1 << 12  # bytes


@dataclass(frozen=True, slots=True)
class LayerBlobs:
    """A layer of the file.

    Attributes:
        name, type: as the file has them.
        blobs: its arrays, in their order; read-only.
        gradients: how many of them have gradients beside them, which are not read.
        offset: byte at which it stands.
    """

    name: str
    type: str
    blobs: tuple[Array, ...]
    gradients: int
    offset: int


@dataclass(frozen=True, slots=True)
class CaffeModel:
    """A file's network name and layers."""

    name: str
    layers: tuple[LayerBlobs, ...]


def is_caffemodel(head: bytes) -> bool:
    """Tell by its first bytes whether a file is a NetParameter: other fields, then a layer.

    A text may begin with the same byte as a name, a line's end; the tag of a layer is no text.
    """
    cursor = ByteCursor(head)
    while cursor.left:
        start = cursor.offset
        if head.startswith(NEXT_LAYER, start) or (start and head.startswith(NEXT_OLD, start)):
            return True
        try:
            field = next(read_fields(cursor, "a network"))
        except DamagedSourceError:
            return _is_name(head[cursor.offset :]) if head.startswith(NAME_TAG) else False
        if HEAD_FIELDS.get(field.number) != field.wire:
            return False
        if field.number == NAME and not _is_name(head[field.start : field.end], empty=True):
            return False
    return head.startswith(NAME_TAG) and len(head) > len(NAME_TAG) + 1


def _is_name(text: bytes, *, empty: bool = False) -> bool:
    """Tell whether bytes may be a network's name or its beginning."""
    return (empty or bool(text)) and not any(byte < ord(" ") for byte in text)


def read_caffemodel(data: Buffer) -> CaffeModel:
    """Read the layers of a file.

    Args:
        data: the whole file, mapped or in memory.

    Raises:
        CutShortError, UnexpectedError, ExcessError: it is damaged.
        RefusedError: its layers are in the form that Caffe had before 2015.
    """
    reader = _Reader(data)
    cursor, name, layers = ByteCursor(data), "", []
    for field in read_fields(cursor, "a network"):
        if field.number == OLD_LAYERS:
            raise RefusedError(
                f"byte {field.start}: layers in the form of Caffe before 2015 (V1); Caffe's "
                "upgrade_net_proto_binary writes them in today's"
            )
        if field.number == NAME:
            name = reader.text(field, "a network's name")
        elif field.number == LAYER:
            layers.append(reader.layer(field))
            if len(layers) > MOST_LAYERS:
                raise ExcessError(f"at most {MOST_LAYERS} layers expected", where=cursor.where)
    return CaffeModel(name, tuple(layers))


class _Reader:
    """Reads the messages of a file, and counts what it makes of them."""

    def __init__(self, data: Buffer) -> None:
        self.data, self.parts = data, 0

    def count(self, field: Field) -> None:
        """Count one more object in memory."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise ExcessError(
                f"at most {MOST_PARTS} blobs and parts of blobs expected",
                where=f"byte {field.start}",
            )

    def inside(self, field: Field, what: str) -> ByteCursor:
        """Return a cursor over the content of a field that is a message, text or packed list."""
        if field.wire != BYTES:
            raise UnexpectedError(
                f"{what} expected, found wire type {field.wire}", where=f"byte {field.start}"
            )
        return ByteCursor(self.data, start=field.start, end=field.end)

    def text(self, field: Field, what: str) -> str:
        """Return a text."""
        cursor = self.inside(field, what)
        if cursor.left > LONGEST_TEXT:
            raise ExcessError(
                f"{what} of at most {LONGEST_TEXT} bytes expected, found {cursor.left}",
                where=cursor.where,
            )
        try:
            return cursor.raw(cursor.left, what).decode()
        except UnicodeDecodeError as error:
            raise UnexpectedError(
                f"{what} in UTF-8 expected", where=f"byte {field.start}"
            ) from error

    def layer(self, field: Field) -> LayerBlobs:
        """Return a layer."""
        cursor, name, kind, gradients = self.inside(field, "a layer"), "", "", 0
        blobs: list[Array] = []
        for each in read_fields(cursor, "a layer"):
            if each.number == LAYER_NAME:
                name = self.text(each, "a layer's name")
            elif each.number == LAYER_TYPE:
                kind = self.text(each, "a layer's type")
            elif each.number == BLOBS:
                self.count(each)
                place = f"layer {shown(name)}, blob {len(blobs)}"
                array, has_gradient = self.blob(each, place)
                blobs.append(array)
                gradients += has_gradient
        return LayerBlobs(name, kind, tuple(blobs), gradients, field.start)

    def blob(self, field: Field, place: str) -> tuple[Array, bool]:
        """Return the numbers of a blob in its shape, and whether it has gradients too."""
        sizes: dict[int, int] = {}
        shape: tuple[int, ...] | None = None
        parts: list[Array] = []
        loose = {FLOAT: bytearray(), DOUBLE: bytearray()}
        has_gradient = False
        where = f"byte {field.start}: {cut(place)}"
        for each in read_fields(self.inside(field, "a blob"), "a blob"):
            if each.number in OLD_SIZES and each.wire == VARINT:
                sizes[each.number] = each.value
            elif each.number == SHAPE:
                shape = self.shape(each, where)
            elif each.number in (DATA, DOUBLE_DATA):
                dtype = FLOAT if each.number == DATA else DOUBLE
                if each.wire == BYTES:
                    parts += self.packed(each, dtype, where)
                elif each.wire == (FOUR if dtype is FLOAT else EIGHT):
                    loose[dtype] += self.data[each.start : each.end]
                else:
                    raise UnexpectedError(
                        f"numbers expected, found wire type {each.wire}", where=where
                    )
            has_gradient |= each.number in (DIFF, DOUBLE_DIFF)
        parts += [np.frombuffer(bytes(raw), dtype) for dtype, raw in loose.items() if raw]
        flat = (
            np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.empty(0, FLOAT)
        )
        if shape is None:
            shape = tuple(sizes.get(number, 1) for number in OLD_SIZES) if sizes else (flat.size,)
        if len(shape) > MOST_AXES or any(size >= 1 << 63 for size in shape):
            raise UnexpectedError(
                f"sizes of at least 0 expected, found {shown(list(shape))}", where=where
            )
        if prod(shape) != flat.size:
            raise UnexpectedError(
                f"{shown(list(shape))} declared, that is {shown(prod(shape))} numbers, found "
                f"{flat.size}; the file is cut short or damaged",
                where=where,
            )
        try:
            array = flat.reshape(shape)
        except ValueError as error:  # of sizes that are too large for NumPy beside a zero
            raise UnexpectedError(f"no blob can have {shown(list(shape))}", where=where) from error
        array.flags.writeable = False
        return array, has_gradient

    def packed(self, field: Field, dtype: np.dtype[np.generic], where: str) -> Iterator[Array]:
        """Yield the numbers of a packed list as a view, if there are any."""
        cursor = self.inside(field, "numbers")
        count, rest = divmod(cursor.left, dtype.itemsize)
        if rest:
            raise UnexpectedError(
                f"numbers of {dtype.itemsize} bytes expected, found {cursor.left} bytes",
                where=where,
            )
        if count:
            self.count(field)
            yield cursor.view(dtype, count, "numbers")

    def shape(self, field: Field, where: str) -> tuple[int, ...]:
        """Return the sizes of a BlobShape."""
        sizes: list[int] = []
        for each in read_fields(self.inside(field, "a shape"), "a shape"):
            if each.number == DIM and each.wire == VARINT:
                sizes.append(each.value)
            elif each.number == DIM:
                cursor = self.inside(each, "sizes")
                while cursor.left and len(sizes) <= MOST_AXES:
                    sizes.append(read_varint(cursor, "a size"))
            if len(sizes) > MOST_AXES:
                raise UnexpectedError(
                    f"at most {MOST_AXES} sizes expected, found more", where=where
                )
        return tuple(sizes)
