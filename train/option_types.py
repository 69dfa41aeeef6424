"""The types of the values of options."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.terminal.command import NamedPath
from train.recipe.augmentation import COLOR_CHANGES

if TYPE_CHECKING:
    NameChoice = click.Choice[str]
    TextType = click.ParamType[str]
else:  # of click, only later versions know their type's parameter when they run
    NameChoice, TextType = click.Choice, click.ParamType

# The value of --resume where no folder follows it.
BARE: Final = "\0"


class Number(click.FloatRange):
    """A finite number in a range: click's own range accepts "nan"."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


class RunFolder(NamedPath):
    """The folder of a run, or `BARE`."""

    def __init__(self) -> None:
        """Accept any path but that of an existing file."""
        super().__init__(file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or `BARE` as it is."""
        return value if value == BARE else super().convert(value, param, ctx)


class NamedChoice(NameChoice):
    """One of a few names, whatever their case; another tool's name for one of them is explained."""

    def __init__(self, names: Sequence[str], others: Mapping[str, str] | None = None) -> None:
        """Accept some names.

        Args:
            names: that are accepted.
            others: names of other tools, or older ones, in small letters -> what to write.
        """
        super().__init__(names, case_sensitive=False)
        self.others = others or {}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is listed."""
        if isinstance(value, str) and value.lower() in self.others:
            self.fail(f"{value!r} is {self.others[value.lower()]} here.", param, ctx)
        return super().convert(value, param, ctx)


class NumberPair(TextType):
    """Two numbers with a comma between them, "0.35,1", as the text that was typed."""

    name = "pair"

    def __init__(self, each: Number) -> None:
        """Accept two numbers of a type."""
        self.each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, of which `pair_of` gives the numbers."""
        parts = str(value).split(",")
        if len(parts) != 2:
            self.fail(f"{value!r}: two numbers with a comma between them expected.", param, ctx)
        for part in parts:
            self.each.convert(part, param, ctx)
        return str(value)


class ColorJitter(TextType):
    """The strengths of a colour jitter: "0.4" for all, or "brightness=0.4,contrast=0.2"."""

    name = "strengths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, of which `strengths_of` gives the strengths."""
        pairs = [pair.partition("=") for pair in str(value).split(",")] if "=" in value else []
        names = [name for name, _, _ in pairs]
        if len(set(names)) < len(names) or not set(names) <= set(COLOR_CHANGES):
            self.fail(
                f"{value!r}: each of {', '.join(COLOR_CHANGES)} at most once expected, as "
                "brightness=0.4,contrast=0.4, or one number for all three.",
                param,
                ctx,
            )
        for text in [text for _, _, text in pairs] or [value]:
            FRACTION.convert(text, param, ctx)
        return str(value)


def pair_of(text: str) -> tuple[float, float]:
    """Return the numbers of a `NumberPair`."""
    first, second = map(float, text.split(","))
    return first, second


def strengths_of(text: str) -> dict[str, float]:
    """Return the strength of each of `COLOR_CHANGES`; 0 for what a `ColorJitter` does not name."""
    if "=" not in text:
        return dict.fromkeys(COLOR_CHANGES, float(text))
    named = dict(pair.split("=") for pair in text.split(","))
    return {name: float(named.get(name, 0.0)) for name in COLOR_CHANGES}


PATH: Final = NamedPath()
FOLDER: Final = NamedPath(file_okay=False)
# Every number has an upper limit, far above useful values: beyond it something overflows.
COUNT: Final = click.IntRange(1, 1_000_000)
COUNT_OR_NONE: Final = click.IntRange(0, 1_000_000)
WIDTH: Final = click.IntRange(1, 4096)
FRACTION: Final = Number(0, 1)
NOT_NEGATIVE: Final = Number(0, 1000)
