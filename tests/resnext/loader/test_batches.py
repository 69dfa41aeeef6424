from contextlib import closing

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.images.image_set import ImageSet
from resnext.images.sources.folders import class_folders
from resnext.loader.batch import Batch
from resnext.loader.batches import read_batches
from resnext.loader.pictures import Prepare
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import RawCrop, raw_crop
from resnext.preprocessing import IMAGENET
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"


def floats(pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
    """Return an array of the same shape for each picture, with values that identify it."""
    return np.full((3, 20, 20), position + pixels.mean() / 256, np.float32)


def scaled_later(pixels: NDArray[np.uint8], position: int) -> RawCrop:
    """Return a raw crop, of another number of bytes for each picture."""
    large = pixels.repeat(10, axis=0).repeat(9 + position % 5, axis=1)
    return raw_crop(large, IMAGENET)


def looked_at(batch: Batch) -> tuple[list[float], list[int], list[list[int]]]:
    numbers, crops = batch.inputs
    assert isinstance(numbers, Tensor)
    assert isinstance(crops, RawCrops)
    return numbers[:, 0, 0, 0].tolist(), crops.flat[::1000].tolist(), crops.sizes.tolist()


def place(inputs: Tensor | RawCrops) -> int:
    """Return the address of the memory that holds the inputs."""
    return (inputs if isinstance(inputs, Tensor) else inputs.flat).data_ptr()


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return class_folders(DIGITS / "val")


WAYS: tuple[Prepare, ...] = (floats, scaled_later)
PARTS = [list(range(at, at + 1 + at % 7)) for at in range(0, 300, 10)]


def test_batches_in_buffers_of_another_process_are_those_that_are_read_here(
    images: ImageSet,
) -> None:
    here = [looked_at(batch) for batch in read_batches(images, PARTS, WAYS, workers=0)]
    there: list[tuple[list[float], list[int], list[list[int]]]] = []
    with closing(read_batches(images, PARTS, WAYS, workers=2, handed_back=True)) as read:
        behind = next(read)
        for batch in read:  # the one in front of it is still held, as beside a device
            there.append(looked_at(behind))
            behind.hand_back()
            behind = batch
    there.append(looked_at(behind))
    assert there == here


def test_batches_that_are_handed_back_are_in_few_buffers(images: ImageSet) -> None:
    same = [[7, 8, 9]] * 30
    found: list[tuple[int, ...]] = []
    with closing(read_batches(images, same, WAYS, workers=1, handed_back=True)) as read:
        for batch in read:
            found.append(tuple(map(place, batch.inputs)))
            batch.hand_back()
    for column in zip(*found, strict=True):
        assert len(set(column)) <= 4


def test_batch_that_is_kept_stays_as_it_is(images: ImageSet) -> None:
    with closing(read_batches(images, PARTS, WAYS, workers=1, handed_back=True)) as read:
        kept = next(read)
        before = looked_at(kept)
        for batch in read:
            batch.hand_back()
    assert looked_at(kept) == before


def test_pinned_batch_was_handed_back(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinning needs a GPU; a copy stands in for it here."""
    monkeypatch.setattr(Tensor, "pin_memory", Tensor.clone)
    with closing(read_batches(images, PARTS, WAYS, workers=1, handed_back=True)) as read:
        batch = next(read)
        before = looked_at(batch)
        pinned = batch.pin_memory()
        assert [taken.tolist() for taken in batch.lent] == [[0], [0]]
        assert pinned.lent == ()
        for inputs in batch.inputs:
            (inputs if isinstance(inputs, Tensor) else inputs.flat).zero_()
        assert looked_at(pinned) == before


def test_batch_that_is_read_here_has_nothing_to_hand_back(images: ImageSet) -> None:
    batch = next(read_batches(images, PARTS, WAYS, workers=0, handed_back=True))
    assert batch.lent == ()
    batch.hand_back()
    assert torch.isfinite(batch.tensor()).all()
