"""How options change a recipe."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from train.recipe.augmentation import USUAL_RATIO, Augmentation, Crop
from train.recipe.recipe import (
    CIFAR_2017,
    Optimizer,
    Recipe,
    RecipeError,
    Schedule,
    ScheduleShape,
)

# Steps of `--schedule step` where the recipe's own schedule has another shape: those of CIFAR.
USUAL_STEPS: Final = CIFAR_2017.schedule.after

# Values of a recipe whose optimiser is replaced by AdamW: torch's defaults. A learning rate and a
# weight decay that fit SGD do not fit it.
OF_ADAMW: Final[Mapping[str, Any]] = {"lr": 1e-3, "lr_batch_size": None, "weight_decay": 1e-2}

# Values of a recipe whose kind of crop is replaced: those of the row are about the other kind.
USUAL_CROP: Final[Mapping[str, Any]] = {
    "crop_scale": (0.08, 1.0),
    "crop_ratio": USUAL_RATIO,
    "padding": 0,
}

# Fields that only one kind of crop or one optimiser looks at: the option that sets the field, the
# option that chooses the kind, and the kind.
OF_KINDS: Final = {
    "crop_scale": ("--crop-scale", "--crop-kind", Crop.RANDOM_RESIZED_CROP),
    "crop_ratio": ("--crop-ratio", "--crop-kind", Crop.RANDOM_RESIZED_CROP),
    "padding": ("--padding", "--crop-kind", Crop.RANDOM_CROP),
    "momentum": ("--momentum", "--optimizer", Optimizer.SGD),
    "betas": ("--betas", "--optimizer", Optimizer.ADAMW),
    "eps": ("--eps", "--optimizer", Optimizer.ADAMW),
}

SCHEDULE_FIELDS: Final = frozenset(field.name for field in fields(Schedule))
AUGMENTATION_FIELDS: Final = frozenset(field.name for field in fields(Augmentation))


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some of its values replaced.

    Args:
        recipe: a row of `RECIPES`.
        changes: names of fields of `Recipe`, `Schedule` and `Augmentation` -> values. A given
            `lr` is not scaled with the batch; another optimiser brings its own `OF_ADAMW`. The
            row's own warm-up is shortened to half of a short run.

    Raises:
        RecipeError: the values contradict each other.
    """
    changes = dict(changes)
    optimizer = changes.get("optimizer", recipe.optimizer)
    _check_kinds(changes, optimizer, changes.get("crop", recipe.augmentation.crop))
    if "lr" in changes:
        changes["lr_batch_size"] = None
    if optimizer is Optimizer.ADAMW and recipe.optimizer is not optimizer:
        changes = {**OF_ADAMW, **changes}
    schedule = _changed_schedule(recipe, changes)
    augmentation = {name: changes.pop(name) for name in AUGMENTATION_FIELDS & set(changes)}
    if augmentation.get("crop", recipe.augmentation.crop) is not recipe.augmentation.crop:
        augmentation = {**USUAL_CROP, **augmentation}
    return replace(
        recipe,
        schedule=schedule,
        augmentation=replace(recipe.augmentation, **augmentation),
        **changes,
    )


def _changed_schedule(recipe: Recipe, changes: dict[str, Any]) -> Schedule:
    """Return the schedule with its values of the changes, which are taken out of them."""
    schedule = {name: changes.pop(name) for name in SCHEDULE_FIELDS & set(changes)}
    epochs = changes.get("epochs", recipe.epochs)
    schedule = {"warmup": min(recipe.schedule.warmup, epochs / 2), **schedule}
    if "curve" in schedule:
        kept = recipe.schedule if schedule["curve"] is recipe.schedule.curve else None
        after = USUAL_STEPS if schedule["curve"] is ScheduleShape.STEP else ()
        steps = {"every": kept.every, "after": kept.after} if kept else {"after": after}
        schedule = {"every": None, **steps, **schedule}
    return replace(recipe.schedule, **schedule)


def _check_kinds(changes: Mapping[str, Any], optimizer: Optimizer, crop: Crop) -> None:
    """Check that no value is given that the chosen crop or optimiser does not look at.

    Raises:
        RecipeError: one is.
    """
    chosen = {"--optimizer": optimizer, "--crop-kind": crop}
    for name, (option, chooser, kind) in OF_KINDS.items():
        if name in changes and chosen[chooser] is not kind:
            raise RecipeError(
                f"{option}: {chooser} {kind} expected beside it, found {chosen[chooser]}, which "
                "does not look at it"
            )
