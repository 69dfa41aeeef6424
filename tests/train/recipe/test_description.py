"""A recipe printed as options gives the same recipe again."""

import shlex
from dataclasses import replace

import pytest

from train.cli import main
from train.recipe.augmentation import Augmentation
from train.recipe.changes import changed
from train.recipe.description import option_of, recipe_lines, stated_values, unused_fields
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, RECIPES, Optimizer, Recipe
from train.recipe_flags import CHANGES, changes_of

ADAMW = replace(changed(FINETUNE, {"optimizer": Optimizer.ADAMW}), name="finetune")
UNEVEN = replace(
    FINETUNE,
    freeze="stem",
    sync_bn=True,
    augmentation=replace(FINETUNE.augmentation, brightness=0.4, saturation=0.1),
)


def test_lines_of_the_fine_tuning_recipe() -> None:
    assert list(recipe_lines(FINETUNE)) == [
        "# the values of --recipe finetune; other options on the command line replace them",
        "--epochs 15",
        "--batch-size 32",
        "--lr 0.02                             # 0.16 x batch size / 256",
        "--optimizer sgd",
        "--momentum 0.9",
        "--weight-decay 0.0001",
        "--accumulate 1",
        "--clip 0",
        "--freeze none",
        "--layer-decay 1",
        "--label-smoothing 0",
        "--mixup 0",
        "--ema 0",
        "--patience 0",
        "--no-sync-bn",
        "--precision fp32",
        "--channels-last",
        "--schedule cosine                     # falling by a cosine to 0",
        "--warmup 1",
        "--crop-kind RandomResizedCrop",
        "--crop-scale 0.35,1",
        "--crop-ratio 0.75,1.3333333333333333",
        "--auto-augment none",
        "--color-jitter 0",
        "--pca-lighting 0",
        "--flip 0.5",
    ]


@pytest.mark.parametrize("recipe", [*RECIPES.values(), ADAMW, UNEVEN], ids=str)
def test_printed_options_give_the_same_recipe(recipe: Recipe) -> None:
    words = [word for value in stated_values(recipe) for word in shlex.split(value.text)]
    with main.make_context("resnext-train", ["--data", "x", *words]) as context:
        given = {name: context.params[name] for name in CHANGES}
    # The learning rate is that of the recipe's own batch.
    expected = replace(recipe, lr=recipe.scaled_lr, lr_batch_size=None)
    assert changed(RECIPES[recipe.name], changes_of(given)) == expected


def test_every_option_of_a_recipe_is_called_as_its_field() -> None:
    names = {str(option.name): option.opts[0] for option in main.params}
    fields = {**Recipe.__dataclass_fields__, **Augmentation.__dataclass_fields__}
    known = {name: names[name] for name in CHANGES if name in fields or name in ("curve", "warmup")}
    assert known.keys() | {"color_jitter"} == set(CHANGES)
    assert {name: option_of(name) for name in known} == known


def test_values_that_nothing_looks_at_are_named() -> None:
    assert unused_fields(IMAGENET_2017) == {"padding", "betas", "eps"}
    assert unused_fields(CIFAR_2017) == {"crop_scale", "crop_ratio", "betas", "eps"}
    assert unused_fields(ADAMW) == {"padding", "momentum"}
