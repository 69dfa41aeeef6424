"""Options that change a recipe."""

from dataclasses import replace

import pytest

from train.recipe.augmentation import Crop
from train.recipe.changes import changed
from train.recipe.recipe import (
    CIFAR_2017,
    FINETUNE,
    IMAGENET_2017,
    Optimizer,
    Recipe,
    RecipeError,
    ScheduleShape,
)
from train.recipe.schedule import SchedulePoint, learning_rate

LAST = SchedulePoint(epoch=100, step=0, steps=10, epochs=100)
ADAMW = changed(FINETUNE, {"optimizer": Optimizer.ADAMW})


def test_curve_that_is_asked_for_keeps_the_warm_up() -> None:
    schedule = changed(FINETUNE, {"curve": ScheduleShape.STEP}).schedule
    assert (schedule.curve, schedule.after, schedule.warmup) == (
        ScheduleShape.STEP,
        (0.49, 0.74),
        1.0,
    )
    recipe = changed(IMAGENET_2017, {"curve": ScheduleShape.CONSTANT})
    assert learning_rate(recipe, LAST) == 0.1


def test_changes_reach_every_part_of_a_recipe() -> None:
    recipe = changed(IMAGENET_2017, {"lr": 0.3, "batch_size": 7, "warmup": 2.5, "flip": 0.0})
    assert recipe.scaled_lr == 0.3
    assert (recipe.schedule.every, recipe.schedule.warmup) == (30, 2.5)
    assert recipe.augmentation == replace(IMAGENET_2017.augmentation, flip=0.0)


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        (FINETUNE, {"padding": 7}, "--padding: --crop-kind RandomCrop expected beside it, found "),
        (CIFAR_2017, {"crop_scale": (0.5, 1)}, "--crop-scale: --crop-kind RandomResizedCrop exp"),
        (CIFAR_2017, {"crop_ratio": (1, 2)}, "--crop-ratio: --crop-kind RandomResizedCrop exp"),
        (FINETUNE, {"betas": (0.9, 0.99)}, "--betas: --optimizer adamw expected beside it, found"),
        (FINETUNE, {"eps": 1e-6}, "--eps: --optimizer adamw expected beside it, found sgd, which"),
        (ADAMW, {"momentum": 0.9}, "--momentum: --optimizer sgd expected beside it, found adamw"),
    ],
    ids=["padding", "scale", "ratio", "betas", "eps", "momentum"],
)
def test_value_that_nothing_looks_at_is_refused(
    row: Recipe, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        changed(row, changes)


@pytest.mark.parametrize("name", ["crop_scale", "crop_ratio"])
def test_range_from_the_largest_to_the_least_is_refused(name: str) -> None:
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(RecipeError, match=f"{option} 0.9 0.5: the least first expected"):
        changed(FINETUNE, {name: (0.9, 0.5)})


def test_other_kind_of_crop_brings_its_own_values() -> None:
    found = changed(FINETUNE, {"crop": Crop.RANDOM_CROP}).augmentation
    assert (found.crop_scale, found.padding) == ((0.08, 1.0), 0)
    found = changed(FINETUNE, {"padding": 7, "crop": Crop.RANDOM_CROP}).augmentation
    assert (found.crop, found.padding) == ("RandomCrop", 7)
    found = changed(CIFAR_2017, {"crop": Crop.RANDOM_RESIZED_CROP}).augmentation
    assert (found.crop, found.crop_scale, found.padding) == ("RandomResizedCrop", (0.08, 1.0), 0)
    assert changed(FINETUNE, {"crop": Crop.RANDOM_RESIZED_CROP}) == FINETUNE


def test_adamw_brings_the_learning_rate_and_weight_decay_of_torch() -> None:
    assert (ADAMW.scaled_lr, ADAMW.weight_decay) == (0.001, 0.01)
    assert (ADAMW.betas, ADAMW.eps) == ((0.9, 0.999), 1e-8)
    own = changed(
        FINETUNE, {"optimizer": Optimizer.ADAMW, "lr": 3e-4, "weight_decay": 0.1, "batch_size": 64}
    )
    assert (own.scaled_lr, own.weight_decay) == (3e-4, 0.1)
    assert changed(FINETUNE, {"optimizer": Optimizer.SGD}) == FINETUNE


def test_one_epoch_takes_half_of_the_warm_up_of_its_row() -> None:
    assert changed(FINETUNE, {"epochs": 1}).schedule.warmup == 0.5
    assert changed(FINETUNE, {"epochs": 2}).schedule.warmup == 1.0
    assert changed(FINETUNE, {"epochs": 1, "warmup": 0.9}).schedule.warmup == 0.9


def test_warm_up_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(RecipeError, match="--warmup 3: less than the 3 --epochs expected"):
        changed(FINETUNE, {"epochs": 3, "warmup": 3.0})
