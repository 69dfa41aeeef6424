"""A recipe in words: the options that state its values, and which values it looks at."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from train.recipe.augmentation import COLOR_CHANGES, Augmentation
from train.recipe.changes import AUGMENTATION_FIELDS, OF_KINDS, SCHEDULE_FIELDS
from train.recipe.recipe import Recipe, Schedule, ScheduleShape

# Fields of a recipe that several options set, or one with another name than the field's.
OPTIONS: Final[Mapping[str, str]] = {
    "name": "--recipe",
    "stem": "--recipe",
    "lr_batch_size": "--lr",
    "curve": "--schedule",
    "every": "--schedule",
    "after": "--schedule",
    "crop": "--crop-kind",
    "brightness": "--color-jitter",
    "contrast": "--color-jitter",
    "saturation": "--color-jitter",
}
# How `--freeze` states that all parts of the network learn.
NOTHING: Final = "none"
# Fields that hold other fields, and fields that are said beside another field's value.
INNER: Final = ("schedule", "augmentation")
BESIDE: Final = ("name", "stem", "lr_batch_size", "every", "after", "contrast", "saturation")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedValue:
    """A value of a recipe as its option states it.

    Attributes:
        option: "--epochs", or "--no-sync-bn" for a flag that is off.
        value: what follows the option on a command line; None for a flag.
        note: what the value does not say; may be empty.
    """

    option: str
    value: str | None
    note: str = ""

    @property
    def text(self) -> str:
        """Return option and value as they are typed in a shell."""
        return self.option if self.value is None else shlex.join((self.option, self.value))


def recipe_lines(recipe: Recipe) -> Iterator[str]:
    """Yield a line for each value of a recipe: the option as it is typed, and a note."""
    yield f"# the values of --recipe {recipe.name}; other options on the command line replace them"
    for value in stated_values(recipe):
        yield f"{value.text:<36}  # {value.note}" if value.note else value.text


def option_of(field: str) -> str:
    """Return the option that sets a field of `Recipe`, `Schedule` or `Augmentation`."""
    return OPTIONS.get(field) or f"--{field.replace('_', '-')}"


def unused_fields(recipe: Recipe) -> set[str]:
    """Return the fields that this recipe's kind of crop or optimiser does not look at."""
    chosen = {"--optimizer": recipe.optimizer, "--crop-kind": recipe.augmentation.crop}
    return {name for name, (_, chooser, kind) in OF_KINDS.items() if chosen[chooser] is not kind}


def stated_values(recipe: Recipe) -> Iterator[StatedValue]:
    """Yield all values that a recipe looks at, as options that change nothing beside its name.

    `--schedule step` falls where the recipe of the command does. `--lr` is stated for the recipe's
    own batch size.
    """
    unused = unused_fields(recipe)
    names = [field.name for kind in (Recipe, Schedule, Augmentation) for field in fields(kind)]
    for name in names:
        if name not in (*INNER, *BESIDE, "class_weights") and name not in unused:
            yield _stated(recipe, name)


def _stated(recipe: Recipe, name: str) -> StatedValue:
    value = _value(recipe, name)
    if isinstance(value, bool):
        option = option_of(name if value else f"no_{name}")
        return StatedValue(option=option, value=None)
    note = ""
    match name:
        case "lr":
            value = recipe.scaled_lr
            if recipe.lr_batch_size:
                note = f"{recipe.lr:g} x batch size / {recipe.lr_batch_size}"
        case "curve":
            note = schedule_text(recipe.schedule)
        case "freeze":
            value = value or NOTHING
        case "brightness":
            value = _jitter(recipe.augmentation)
    return StatedValue(option=option_of(name), value=_text(value), note=note)


def _value(recipe: Recipe, name: str) -> Any:
    if name in SCHEDULE_FIELDS:
        return getattr(recipe.schedule, name)
    return getattr(recipe.augmentation if name in AUGMENTATION_FIELDS else recipe, name)


def _jitter(augmentation: Augmentation) -> float | str:
    """Return the strengths of the colour jitter as `--color-jitter` takes them."""
    strengths = augmentation.color_jitter
    if len(set(strengths)) == 1:
        return strengths[0]
    named = zip(COLOR_CHANGES, strengths, strict=True)
    return ",".join(f"{name}={value:g}" for name, value in named)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def schedule_text(schedule: Schedule) -> str:
    """Return how a learning rate falls, in words."""
    match schedule.curve:
        case ScheduleShape.STEP if schedule.every:
            return f"a tenth after every {schedule.every} epochs"
        case ScheduleShape.STEP:
            parts = " and ".join(f"{part:.0%}" for part in schedule.after)
            return f"a tenth after {parts} of the epochs"
        case ScheduleShape.COSINE:
            return "falling by a cosine to 0"
        case _:
            return "constant"
