"""Places in plots, in percent of their width and height: what a template needs to draw them.

Percentages, because a picture that is stretched to the width of a page must not stretch its text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from validate.verdicts.claims import tolerance
from validate.verdicts.groups import Line

# Room beside the outermost of what is plotted, as a part of the whole.
MARGIN: Final = 0.06
# Between so many ticks an axis can be read, and no more fit on a telephone.
MOST_TICKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis and what stands there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Differences from the published error, in points.

    Attributes:
        low, high: the ends, in points.
        ticks: at round numbers, 0 among them.
    """

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, points: float) -> float:
        """Return the place of a difference, in percent of the width."""
        return round(100 * (points - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One measured line on an axis, all in percent of the width.

    Attributes:
        at: the measured error.
        low, high: the ends of its 95 % interval.
        zero: the published error.
        band_low, band_high: the ends of the claim's tolerance.
    """

    at: float
    low: float
    high: float
    zero: float
    band_low: float
    band_high: float


def axis_of(lines: Iterable[Line]) -> Axis | None:
    """Return an axis that has room for all lines that have a claim; None if none has."""
    values = [0.0]
    for line in lines:
        if line.claim is not None and line.points is not None and line.interval is not None:
            claimed, slack = float(line.claim.value), float(tolerance(line.claim.value))
            values += [line.interval[0] - claimed, line.interval[1] - claimed, slack, -slack]
    if len(values) == 1:
        return None
    margin = MARGIN * (max(values) - min(values))
    low, high = min(values) - margin, max(values) + margin
    step = next(step for step in _round_steps() if (high - low) / step <= MOST_TICKS)
    places = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    bare = Axis(low=low, high=high, ticks=())
    ticks = tuple(Tick(at=bare.at(place), text=_signed(place)) for place in places)
    return Axis(low=low, high=high, ticks=ticks)


def mark_of(line: Line, axis: Axis | None) -> Mark | None:
    """Return where a line stands on an axis; None where there is nothing to compare."""
    if axis is None or line.claim is None or line.points is None or line.interval is None:
        return None
    claimed, slack = float(line.claim.value), float(tolerance(line.claim.value))
    low, high = line.interval
    return Mark(
        at=axis.at(float(line.points)),
        low=axis.at(low - claimed),
        high=axis.at(high - claimed),
        zero=axis.at(0),
        band_low=axis.at(-slack),
        band_high=axis.at(slack),
    )


def profile(errors: Sequence[float] | NDArray[np.float64]) -> str:
    """Return an SVG path of steps over a box of 100 x 100, one step a class.

    Args:
        errors: in percent, sorted.
    """
    width = 100 / max(len(errors), 1)
    parts = []
    previous = None
    for place, error in enumerate(errors):
        if error != previous:
            move = f"M0 {_short(100 - error)}" if previous is None else None
            parts.append(move or f"H{_short(place * width)}V{_short(100 - error)}")
        previous = error
    return "".join([*parts, "H100"])


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _round_steps() -> Iterable[float]:
    for power in count(-3):
        yield from (factor * 10.0**power for factor in (1, 2, 5))


def _signed(points: float) -> str:
    if abs(points) < 1e-9:
        return "0"
    return f"{points:+.10g}".replace("-", "\u2212")
