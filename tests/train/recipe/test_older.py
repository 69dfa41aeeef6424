"""Recipes of states of the first form, written down as these hold them."""

import json

import pytest

from train.recipe.augmentation import Crop
from train.recipe.changes import changed
from train.recipe.older import current_recipe
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, Recipe

REST = {
    "momentum": 0.9,
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
}
COSINE = {"curve": "cosine", "every": None, "after": [], "warmup": 1.0}
OLD_FINETUNE = {
    **REST,
    "name": "finetune",
    "stem": "imagenet",
    "epochs": 15,
    "batch_size": 32,
    "rate": 0.16,
    "rate_batch": 256,
    "schedule": COSINE,
    "weight_decay": 1e-4,
    "channels_last": True,
}
PLAIN = {"padding": 4, "jitter": 0.0, "lighting": 0.0, "flip": 0.5}
SIZED = {**OLD_FINETUNE, "augmentation": {**PLAIN, "crop": "sized", "area": 0.35}}
SHIFTED = {**OLD_FINETUNE, "augmentation": {**PLAIN, "crop": "shifted", "area": 0.35}}
PADDED = {
    **REST,
    "name": "cifar-2017",
    "stem": "cifar",
    "epochs": 300,
    "batch_size": 128,
    "rate": 0.1,
    "rate_batch": 128,
    "schedule": {"curve": "step", "every": None, "after": [0.49, 0.74], "warmup": 0.0},
    "weight_decay": 5e-4,
    "channels_last": False,
    "augmentation": {**PLAIN, "crop": "padded", "area": 0.08},
}
COLOURS = {
    **REST,
    "name": "imagenet-2017",
    "stem": "imagenet",
    "epochs": 100,
    "batch_size": 256,
    "rate": 0.1,
    "rate_batch": 256,
    "schedule": {"curve": "step", "every": 30, "after": [], "warmup": 0.0},
    "weight_decay": 1e-4,
    "channels_last": False,
    "augmentation": {**PLAIN, "crop": "sized", "area": 0.08, "jitter": 0.4, "lighting": 0.1},
}


@pytest.mark.parametrize(
    ("older", "recipe"),
    [
        (SIZED, FINETUNE),
        (SHIFTED, changed(FINETUNE, {"crop": Crop.RANDOM_CROP})),
        (PADDED, CIFAR_2017),
        (COLOURS, IMAGENET_2017),
    ],
    ids=["sized", "shifted", "padded", "colours"],
)
def test_older_recipe_is_the_one_of_today(older: dict[str, object], recipe: Recipe) -> None:
    assert current_recipe(older) == json.loads(json.dumps(recipe.to_fields()))


@pytest.mark.parametrize("older", [{}, {**PADDED, "augmentation": {}}, {"augmentation": []}])
def test_other_fields_are_no_recipe(older: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        current_recipe(older)
