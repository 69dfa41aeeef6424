import numpy as np
import pytest
import torch

from resnext.loader.packing import Column, Packing, Piece
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import raw_crop
from resnext.preprocessing import Preprocessing

ROW = Preprocessing(scale=8, crop=4, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


def test_float_inputs_lie_one_behind_another() -> None:
    column = Column([np.full((1, 2), value, np.float32) for value in (1.5, -2)])
    assert column.packing == Packing((Piece(dtype="float32", shape=(2, 1, 2), start=0),), None)
    memory = np.full(20, 7, np.uint8)
    column.pack(memory)
    assert memory.tobytes() == np.array([1.5, 1.5, -2, -2], np.float32).tobytes() + b"\7" * 4
    found = column.packing.tensors(memory)
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [[[1.5, 1.5]], [[-2.0, -2.0]]]


def test_tensors_are_views_of_the_memory() -> None:
    column = Column([np.zeros((2,), np.float32)])
    memory = np.zeros(column.packing.size, np.uint8)
    found = column.packing.tensors(memory)
    memory[3] = 0x40  # of a little-endian 2.0
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("sides", [[(8, 11)], [(9, 16), (31, 8), (8, 8)]], ids=["one", "three"])
def test_raw_crops_come_back_as_they_were(sides: list[tuple[int, int]]) -> None:
    draw = np.random.default_rng(3)
    crops = [raw_crop(draw.integers(256, size=(*side, 3), dtype=np.uint8), ROW) for side in sides]
    column = Column(crops)
    memory = np.zeros(column.packing.size, np.uint8)
    column.pack(memory)
    found = column.packing.tensors(memory)
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
    column = Column([np.zeros(0, np.float32)] * 3)
    assert column.packing.size == 0
    column.pack(np.zeros(0, np.uint8))
    found = column.packing.tensors(np.zeros(0, np.uint8))
    assert isinstance(found, torch.Tensor)
    assert found.shape == (3, 0)
