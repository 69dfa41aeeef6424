"""Curves over the epochs as paths in a unit square, with the marks of their axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Final

# The square is drawn as wide and high as there is room; a path needs no more digits than this.
SIDE: Final = 1000
MARKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a plot.

    Attributes:
        name: for its legend.
        values: one for each epoch.
        style: class of its colour and dashes.
    """

    name: str
    values: Sequence[float]
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A labelled place on an axis.

    Attributes:
        part: of the axis, from 0 at its start to 1 at its end.
        text: of the label.
    """

    part: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A curve that can be drawn.

    Attributes:
        curve: what it shows.
        path: of an SVG, in a square of `SIDE`, y downwards.
        last: the value at its end, as text.
    """

    curve: Curve
    path: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves that share their axes.

    Attributes:
        title: what is shown.
        unit: of the values, behind each number.
        lines: drawn over each other.
        rows, columns: marks of the vertical and of the horizontal axis.
        best: part of the horizontal axis where the best epoch stands; None where it is not shown.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    rows: tuple[Mark, ...]
    columns: tuple[Mark, ...]
    best: float | None = None


def plot(title: str, curves: Sequence[Curve], *, unit: str = "", best: int | None = None) -> Plot:
    """Lay out curves over the epochs, from zero upwards.

    Args:
        title: what is shown.
        curves: of the same number of epochs, one or more.
        unit: of the values.
        best: epoch, counted from 1, that is marked.
    """
    epochs = len(curves[0].values)
    finite = [value for curve in curves for value in curve.values if isfinite(value)]
    rows = round_marks(max(finite, default=0.0))
    top = rows[-1]

    def place(epoch: int) -> float:
        return (epoch - 1) / (epochs - 1) if epochs > 1 else 0.5

    lines = []
    for curve in curves:
        points = [
            f"{SIDE * place(epoch):.1f} {SIDE * (1 - value / top):.1f}"
            for epoch, value in enumerate(curve.values, 1)
            if isfinite(value)
        ]
        lines.append(
            Line(
                curve=curve,
                path="M" + "L".join(points) + ("h0" if len(points) == 1 else ""),  # a dot
                last=f"{number(curve.values[-1])}{unit}",
            )
        )
    return Plot(
        title=title,
        unit=unit,
        lines=tuple(lines),
        rows=tuple(Mark(part=value / top, text=f"{number(value)}{unit}") for value in rows),
        columns=tuple(Mark(part=place(epoch), text=str(epoch)) for epoch in epoch_marks(epochs)),
        best=None if best is None else place(best),
    )


def round_marks(highest: float) -> list[float]:
    """Return round numbers from zero to one that is not below the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / (MARKS - 1)
    power = 10 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return [step * count for count in range(ceil(highest / step - 1e-9) + 1)]


def epoch_marks(epochs: int) -> list[int]:
    """Return the epochs that are labelled: the first, the last and round ones between them."""
    step = max(int(round_marks(epochs)[1]), 1)
    inner = [epoch for epoch in range(step, epochs, step) if 1 < epoch <= epochs - step / 2]
    return [1, *inner, epochs] if epochs > 1 else [1]


def number(value: float) -> str:
    """Return a value with three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
