"""Recipes as states of the first form name their fields, brought to today's names."""

from collections.abc import Mapping
from typing import Any, Final

from train.recipe.augmentation import Augmentation, AutoAugment, Crop
from train.recipe.recipe import Optimizer

# The values of `crop` -> today's.
CROPS: Final = {
    "sized": Crop.RANDOM_RESIZED_CROP,
    "padded": Crop.RANDOM_CROP,
    "shifted": Crop.RANDOM_CROP,
}


def current_recipe(older: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a recipe under today's names, as JSON holds them.

    Args:
        older: fields of a recipe as the first form of a state names them.

    Raises:
        KeyError, TypeError, AttributeError: they are no such fields.
    """
    fields = dict(older)
    rate, batch, augmentation = (
        fields.pop(name) for name in ("rate", "rate_batch", "augmentation")
    )
    return fields | {
        "lr": rate,
        "lr_batch_size": batch,
        "optimizer": str(Optimizer.SGD),
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "augmentation": _current_augmentation(augmentation),
    }


def _current_augmentation(older: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(older)
    kind, area, padding, jitter, lighting = (
        fields.pop(name) for name in ("crop", "area", "padding", "jitter", "lighting")
    )
    usual = Augmentation(crop=CROPS[kind])
    return fields | {
        "crop": str(usual.crop),
        "crop_scale": [area, 1.0] if kind == "sized" else list(usual.crop_scale),
        "crop_ratio": list(usual.crop_ratio),
        "padding": padding if kind == "padded" else 0,
        "auto_augment": str(AutoAugment.NONE),
        "brightness": jitter,
        "contrast": jitter,
        "saturation": jitter,
        "pca_lighting": lighting,
    }
