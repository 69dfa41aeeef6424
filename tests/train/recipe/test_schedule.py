"""The learning rate at every epoch, against the rule of the original's train.lua."""

from dataclasses import replace
from math import cos, floor, pi

import pytest

from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, RecipeError
from train.recipe.schedule import SchedulePoint, learning_rate


def moment(epoch: int, epochs: int, step: int = 0, steps: int = 10) -> SchedulePoint:
    return SchedulePoint(epoch=epoch, step=step, steps=steps, epochs=epochs)


def test_imagenet_recipe_is_the_originals() -> None:
    found = IMAGENET_2017.to_fields()
    assert found.pop("augmentation") == {
        "crop": "RandomResizedCrop",
        "crop_scale": (0.08, 1.0),
        "crop_ratio": (3 / 4, 4 / 3),
        "padding": 0,
        "auto_augment": "none",
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "pca_lighting": 0.1,
        "flip": 0.5,
    }
    assert found.pop("schedule") == {"curve": "step", "every": 30, "after": (), "warmup": 0.0}
    assert found == {
        "name": "imagenet-2017",
        "stem": "imagenet",
        "epochs": 100,
        "batch_size": 256,
        "lr": 0.1,
        "lr_batch_size": 256,
        "optimizer": "sgd",
        "momentum": 0.9,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 1e-4,
        "accumulate": 1,
        "clip": 0.0,
        "freeze": "",
        "layer_decay": 1.0,
        "label_smoothing": 0.0,
        "class_weights": None,
        "mixup": 0.0,
        "ema": 0.0,
        "patience": 0,
        "sync_bn": False,
        "precision": "fp32",
        "channels_last": False,
    }


@pytest.mark.parametrize("epochs", [90, 100, 120])
def test_imagenet_rate_at_every_epoch_is_the_originals(epochs: int) -> None:
    for epoch in range(1, epochs + 1):
        expected = 0.1 * 0.1 ** floor((epoch - 1) / 30)
        for step in (0, 9):
            assert learning_rate(IMAGENET_2017, moment(epoch, epochs, step)) == expected


@pytest.mark.parametrize("epochs", [300, 100, 40])
def test_cifar_rate_at_every_epoch_is_the_originals(epochs: int) -> None:
    for epoch in range(1, epochs + 1):
        # data/lua/digits.lua and train.lua: epoch/nEpochs > 0.74 and 2 or > 0.49 and 1 or 0
        falls = 2 if epoch / epochs > 0.74 else 1 if epoch / epochs > 0.49 else 0
        assert learning_rate(CIFAR_2017, moment(epoch, epochs)) == 0.1 * 0.1**falls


def test_cifar_rate_falls_behind_epochs_147_and_222_of_300() -> None:
    rates = [learning_rate(CIFAR_2017, moment(epoch, 300)) for epoch in (147, 148, 222, 223)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001])


@pytest.mark.parametrize(
    ("row", "batch", "lr"),
    [(IMAGENET_2017, 64, 0.025), (CIFAR_2017, 32, 0.025), (FINETUNE, 512, FINETUNE.lr * 2)],
    ids=lambda value: getattr(value, "name", None),
)
def test_rate_grows_in_proportion_to_the_batch(row: object, batch: int, lr: float) -> None:
    assert replace(row, batch_size=batch).scaled_lr == pytest.approx(lr)


def test_rate_that_was_asked_for_is_taken_as_it_is() -> None:
    recipe = replace(CIFAR_2017, lr=0.3, lr_batch_size=None, batch_size=7)
    assert learning_rate(recipe, moment(1, 300)) == 0.3


def test_cosine_rises_first_and_ends_near_zero() -> None:
    recipe = replace(FINETUNE, epochs=5, lr=1.0, lr_batch_size=None)
    rates = [
        learning_rate(recipe, moment(epoch, 5, step, 4))
        for epoch in range(1, 6)
        for step in range(4)
    ]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4:] == pytest.approx([0.5 * (1 + cos(pi * k / 16)) for k in range(16)])
    assert 0 < rates[-1] < 0.01


def test_more_parts_than_images_in_a_step_are_refused() -> None:
    with pytest.raises(RecipeError, match="--accumulate 9: at most --batch-size 8"):
        replace(FINETUNE, batch_size=8, accumulate=9)
