"""Which images a step learns from: all of them, once, whatever the number of processes."""

from dataclasses import replace

import numpy as np
import pytest

from train.recipe.batching import (
    check_batches,
    epoch_batches,
    fitted,
    left_out,
    shares,
    steps_of_epoch,
)
from train.recipe.recipe import CIFAR_2017, RecipeError

RECIPE = replace(CIFAR_2017, batch_size=8)


def test_an_epoch_holds_every_image_once_in_an_order_of_its_own() -> None:
    first, second = (
        epoch_batches(29, RECIPE, seed=3, epoch=epoch, processes=1) for epoch in (1, 2)
    )
    assert [len(batch) for batch in first] == [8, 8, 8, 5]
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(29))
    assert list(np.concatenate(first)) != list(np.concatenate(second))


@pytest.mark.parametrize(
    ("images", "processes", "steps", "left"),
    [(24, 1, 3, 0), (25, 1, 3, 1), (26, 1, 4, 0), (27, 2, 3, 3), (28, 2, 4, 0), (5, 2, 1, 0)],
)
def test_a_rest_too_small_for_every_process_is_left_out(
    images: int, processes: int, steps: int, left: int
) -> None:
    assert steps_of_epoch(images, RECIPE, processes=processes) == steps
    assert left_out(images, RECIPE, processes=processes) == left
    batches = epoch_batches(images, RECIPE, seed=0, epoch=1, processes=processes)
    assert sum(map(len, batches)) == images - left
    assert len(batches) == steps


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_processes_share_each_part_without_overlap(processes: int, parts: int) -> None:
    batch = np.arange(100, 118)
    mine = [
        shares(batch, micro_batches=parts, rank=rank, processes=processes)
        for rank in range(processes)
    ]
    assert {len(found) for found in mine} == {parts}
    whole = [np.concatenate(part) for part in zip(*mine, strict=True)]
    alone = shares(batch, micro_batches=parts, rank=0, processes=1)
    assert [sorted(part) for part in whole] == [sorted(part) for part in alone]
    assert sorted(np.concatenate(whole)) == list(batch)


def test_a_small_batch_is_cut_into_fewer_parts() -> None:
    found = shares(np.arange(5), micro_batches=4, rank=1, processes=2)
    assert [list(part) for part in found] == [[3, 4]]


@pytest.mark.parametrize(
    ("changes", "images", "processes", "message"),
    [
        ({"batch_size": 3}, 100, 2, "--batch-size 3: at least 4 expected"),
        ({"batch_size": 8, "accumulate": 3}, 100, 2, r"at least 12 expected.* \(2 x 3\)"),
        ({"batch_size": 1}, 100, 1, "--batch-size 1: at least 2 .* batch norm learns nothing"),
        ({}, 3, 2, "3 images to train on: at least two for each of 2 processes"),
    ],
)
def test_batches_too_small_are_refused(
    changes: dict[str, int], images: int, processes: int, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        check_batches(images, replace(RECIPE, **changes), processes=processes)


def test_a_batch_larger_than_the_set_is_the_set() -> None:
    found = fitted(replace(CIFAR_2017, batch_size=256, accumulate=100), 72)
    assert (found.batch_size, found.accumulate, found.scaled_lr) == (72, 72, 0.1 * 72 / 128)
    check_batches(72, found, processes=2)
    assert fitted(RECIPE, 8) == RECIPE
    own = replace(CIFAR_2017, batch_size=256, lr=0.3, lr_batch_size=None)
    assert fitted(own, 72).scaled_lr == 0.3
