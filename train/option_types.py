"""Types of options that click does not have."""

from math import isfinite
from typing import Any, Final

import click

from resnext.terminal.command import NamedPath

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
