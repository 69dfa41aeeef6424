"""Curves over the epochs, laid out as SVG paths with the ticks of their axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from resnext.pages.axes import Axis, Tick, axis_from_zero, line_path, round_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The values of one curve.

    Attributes:
        name: for the legend.
        values: one for each epoch; those that are not finite are left out of the curve.
        style: CSS class of its colour and dashes.
    """

    name: str
    values: Sequence[float]
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlottedCurve:
    """A curve that can be drawn.

    Attributes:
        series: what it shows.
        path: of an SVG, in a box of 100 x 100.
        last: the value at its end, as text.
    """

    series: Series
    path: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves that share their axes.

    Attributes:
        title: what is shown.
        curves: drawn over each other.
        rows: ticks of the vertical axis, from the bottom.
        columns: ticks of the horizontal axis.
        best: the place of the best epoch, in percent of the width; None where it is not marked.
    """

    title: str
    curves: tuple[PlottedCurve, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    best: float | None = None


def plot(title: str, series: Sequence[Series], *, unit: str = "", best: int | None = None) -> Plot:
    """Lay out curves over the epochs; the vertical axis begins at 0.

    Args:
        title: what is shown.
        series: one or more, all of the same number of epochs.
        unit: of the values, written behind each number.
        best: epoch, counted from 1, that is marked.
    """
    epochs = len(series[0].values)
    finite = [value for each in series for value in each.values if isfinite(value)]

    def text(value: float) -> str:
        return f"{number(value)}{unit}"

    vertical = axis_from_zero(max(finite, default=0.0), text)
    # A single epoch stands in the middle.
    horizontal = Axis(low=1, high=epochs) if epochs > 1 else Axis(low=0, high=2)
    curves = (
        PlottedCurve(
            series=each,
            path=line_path(
                (horizontal.at(epoch), vertical.at(value))
                for epoch, value in enumerate(each.values, 1)
                if isfinite(value)
            ),
            last=text(each.values[-1]),
        )
        for each in series
    )
    return Plot(
        title=title,
        curves=tuple(curves),
        rows=vertical.ticks,
        columns=tuple(
            Tick(at=horizontal.at(epoch), text=str(epoch)) for epoch in labelled_epochs(epochs)
        ),
        best=None if best is None else horizontal.at(best),
    )


def labelled_epochs(epochs: int) -> list[int]:
    """Return the epochs that have a tick: the first, the last and round ones between them."""
    step = max(int(round_step(epochs)), 1)
    inner = [epoch for epoch in range(step, epochs, step) if 1 < epoch <= epochs - step / 2]
    return [1, *inner, epochs] if epochs > 1 else [1]


def number(value: float) -> str:
    """Return a value with three significant digits, or as a whole number from 1000 upwards."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
