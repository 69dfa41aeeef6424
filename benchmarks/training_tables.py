"""The tables of trainings: what the recipes state, what they reach, what memory costs."""

from collections.abc import Sequence

from benchmarks.markdown import Measured, table
from benchmarks.runs import read_result
from train.recipe.description import StatedValue, stated_values
from train.recipe.recipe import RECIPES

TRAININGS = {
    "finetune": "fine-tuned from the Torch7 checkpoint (4.17 %), 15 epochs, three seeds",
    "scratch": "from scratch, the CIFAR recipe of 2017 scaled down, 30 epochs, one seed",
}


def recipes_table() -> str:
    """Return every value of every recipe, by the option that states it."""
    columns = {name: dict(map(_stated, stated_values(row))) for name, row in RECIPES.items()}
    options = dict.fromkeys(option for column in columns.values() for option in column)
    lines = [
        (f"`{option}`", *(column.get(option, "") for column in columns.values()))
        for option in options
    ]
    return table(("option", *(f"`{name}`" for name in columns)), lines)


def _stated(value: StatedValue) -> tuple[str, str]:
    """Return the option of a value, without the "no" of a flag that is off, and its cell."""
    if value.value is None:
        off = value.option.startswith("--no-")
        return value.option.replace("--no-", "--"), "off" if off else "on"
    return value.option, f"{value.value} ({value.note})" if value.note else value.value


def training_table() -> str:
    """Return the errors that resnext-train reaches on the digits, over three seeds."""
    rows = read_result("train")["training"]
    lines = [
        (
            text,
            _spread(rows[name]["last_error"], "{:.2f}"),
            _spread(rows[name]["best_error"], "{:.2f}"),
            _spread([seconds / 60 for seconds in rows[name]["seconds"]], "{:.1f}"),
        )
        for name, text in TRAININGS.items()
    ]
    header = ("digits, mean (least to most)", "error, last epoch, %", "best epoch, %", "minutes")
    return table(header, lines)


def _spread(values: Sequence[float], form: str) -> str:
    middle, least, most = (form.format(value) for value in values)
    return middle if least == most else f"{middle} ({least} to {most})"


SAVE_MEMORY = Measured(
    name="ResNeXt-101 (32x4d), 16 pictures of 224 pixels",
    result="train",
    within=("save_memory",),
    columns={"peak memory, MB": "{peak_mb:.0f}", "times": "{times_kept:.2f}"},
    texts={"kept": "activations kept", "saved": "as with `--save-memory`"},
)
