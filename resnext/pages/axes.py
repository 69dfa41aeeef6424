"""Axes with round ticks, and paths along them; every place is a percentage of the plot.

Percentages, because a plot is stretched to the width of the page, and its text must not be.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

# As many steps at most lie between the ends of an axis; more labels do not fit on a telephone.
MOST_STEPS: Final = 4
ROUND: Final = (1, 2, 2.5, 5, 10)
# Part of a step by which floating point may miss a tick at the end of an axis.
SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis.

    Attributes:
        at: percent of the axis, from its low end.
        text: its label.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A range of values and its ticks.

    Attributes:
        low, high: the values at the ends; low < high.
        ticks: at round values, in ascending order.
    """

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()

    def at(self, value: float) -> float:
        """Return the place of a value, in percent of the axis from its low end."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def axis_over(low: float, high: float, text: Callable[[float], str]) -> Axis:
    """Return an axis from low to high with ticks at the round values in between.

    Args:
        low, high: its ends, low < high.
        text: makes the label of a value.
    """
    step = round_step(high - low)
    first, last = ceil(low / step - SLACK), floor(high / step + SLACK)
    bare = Axis(low=low, high=high)
    ticks = (Tick(at=bare.at(n * step), text=text(n * step)) for n in range(first, last + 1))
    return Axis(low=low, high=high, ticks=tuple(ticks))


def axis_from_zero(highest: float, text: Callable[[float], str]) -> Axis:
    """Return an axis from 0 to the first round value that is not below the highest.

    Args:
        highest: of the values to show; of 0 or less, the axis ends at 1.
        text: makes the label of a value.
    """
    if highest <= 0:
        ticks = (Tick(at=0.0, text=text(0)), Tick(at=100.0, text=text(1)))
        return Axis(low=0, high=1, ticks=ticks)
    step = round_step(highest)
    return axis_over(0, ceil(highest / step - SLACK) * step, text)


def round_step(span: float) -> float:
    """Return the smallest round step of which at most `MOST_STEPS` fit into a span above 0."""
    least = span / MOST_STEPS
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in ROUND if factor * power >= least)


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """Return an SVG path through points of a box of 100 x 100; of a single point, a dot.

    Args:
        points: x from the left and y from the bottom, in percent.
    """
    places = [f"{coordinate(x)} {coordinate(100 - y)}" for x, y in points]
    return "M" + "L".join(places) + ("h0" if len(places) == 1 else "")


def coordinate(value: float) -> str:
    """Return a number of a path with two decimals, without trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
