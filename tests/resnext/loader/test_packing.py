from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from resnext.loader.packing import Column, Input, OwnMemory, Packing, Piece
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import raw_crop
from resnext.preprocessing import Preprocessing

ROW = Preprocessing(scale=8, crop=4, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


class Memory:
    """Memory full of sevens, of exactly the size that is asked for; remembers the sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.bytes = np.zeros(0, np.uint8)

    def enlarge(self, size: int, used: int) -> NDArray[np.uint8]:
        self.sizes.append(size)
        kept = self.bytes[:used]
        self.bytes = np.full(size, 7, np.uint8)
        self.bytes[:used] = kept
        return self.bytes


def column_of(made: Sequence[Input], *, most: int | None = None) -> tuple[Packing, Memory]:
    """Return how some inputs are packed, and the memory that they lie in."""
    memory = Memory()
    column = Column(len(made) if most is None else most, memory.enlarge)
    for each in made:
        column.add(each)
    assert len(column) == len(made)
    return column.finish(), memory


def test_float_inputs_lie_one_behind_another() -> None:
    packing, memory = column_of([np.full((1, 2), value, np.float32) for value in (1.5, -2)])
    assert packing == Packing((Piece(dtype="float32", shape=(2, 1, 2), start=0),), None)
    assert memory.sizes == [16 + 2]  # an eighth more, which nothing is written to
    expected = np.array([1.5, 1.5, -2, -2], np.float32).tobytes() + b"\7" * 2
    assert memory.bytes.tobytes() == expected
    found = packing.tensors(memory.bytes)
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [[[1.5, 1.5]], [[-2.0, -2.0]]]


def test_memory_that_is_too_small_grows_and_keeps_what_was_written() -> None:
    packing, memory = column_of([np.full(4, value, np.float32) for value in range(5)], most=1)
    assert memory.sizes == [18, 48, 96]
    found = packing.tensors(memory.bytes)
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [[float(value)] * 4 for value in range(5)]


def test_size_that_is_usual_is_asked_for_at_once() -> None:
    memory = Memory()
    Column(3, memory.enlarge, usual=800).add(np.zeros(2, np.float32))
    assert memory.sizes == [900]


def test_tensors_are_views_of_the_memory() -> None:
    packing, memory = column_of([np.zeros((2,), np.float32)])
    found = packing.tensors(memory.bytes)
    memory.bytes[3] = 0x40  # of a little-endian 2.0
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("most", [1, 9], ids=["grows", "has room"])
@pytest.mark.parametrize("sides", [[(8, 11)], [(9, 16), (31, 8), (8, 8)]], ids=["one", "three"])
def test_raw_crops_come_back_as_they_were(sides: list[tuple[int, int]], most: int) -> None:
    draw = np.random.default_rng(3)
    crops = [raw_crop(draw.integers(256, size=(*side, 3), dtype=np.uint8), ROW) for side in sides]
    packing, memory = column_of(crops, most=most)
    found = packing.tensors(memory.bytes)
    assert isinstance(found, RawCrops)
    assert found.preprocessing == ROW
    assert found.sizes.tolist() == [list(each.pixels.shape[:2]) for each in crops]
    for number, crop in enumerate(crops):
        begin = int(found.starts[number])
        pixels = found.flat[begin : begin + crop.pixels.size].numpy()
        assert pixels.tobytes() == crop.pixels.tobytes()
        for axis, taps in enumerate((crop.rows, crop.columns)):
            assert found.firsts[axis, number].tolist() == taps.first.tolist()
            assert found.fractions[axis, number].tolist() == taps.fractions.tolist()
    types = [each.dtype for each in (found.starts, found.firsts, found.fractions)]
    assert types == [torch.int64, torch.int64, torch.float32]


def test_array_that_is_empty_takes_no_memory() -> None:
    packing, memory = column_of([np.zeros(0, np.float32)] * 3)
    assert (packing.size, memory.sizes) == (0, [0])
    found = packing.tensors(np.zeros(0, np.uint8))
    assert isinstance(found, torch.Tensor)
    assert found.shape == (3, 0)


def test_own_memory_keeps_what_is_used_of_it() -> None:
    own = OwnMemory()
    own.enlarge(2, 0)[:] = (1, 2)
    assert own.enlarge(9, 1)[:1].tolist() == [1]
    assert len(own.enlarge(5, 1)) == 5
