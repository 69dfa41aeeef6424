"""Axes: round ticks, and places in percent."""

import pytest

from resnext.pages.axes import Axis, axis_from_zero, axis_over, line_path


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0.0, [0, 1]),
        (9.4, [0, 2.5, 5, 7.5, 10]),
        (20.3, [0, 10, 20, 30]),
        (0.6, [0, 0.2, 0.4, 0.6]),
        (100.0, [0, 25, 50, 75, 100]),
    ],
)
def test_ticks_are_round_and_reach_the_highest_value(highest: float, expected: list[float]) -> None:
    axis = axis_from_zero(highest, repr)
    assert [float(tick.text) for tick in axis.ticks] == pytest.approx(expected)
    assert (axis.ticks[0].at, axis.ticks[-1].at) == (0, 100)
    assert (axis.low, axis.high) == pytest.approx((0, expected[-1]))


def test_ticks_stand_between_the_ends_of_an_axis() -> None:
    axis = axis_over(-0.6, 1.4, "{:.1f}".format)
    assert [(tick.at, tick.text) for tick in axis.ticks] == [
        (5, "-0.5"),
        (30, "0.0"),
        (55, "0.5"),
        (80, "1.0"),
    ]


def test_place_is_in_percent_of_the_axis() -> None:
    assert Axis(low=1, high=4).at(2) == 33.33


@pytest.mark.parametrize(
    ("points", "path"),
    [
        ([(0, 100), (50, 50), (100, 0)], "M0 0L50 50L100 100"),
        ([(50, 33.333)], "M50 66.67h0"),
        ([(0, 0.004), (100, 99.5)], "M0 100L100 0.5"),
    ],
    ids=["corner to corner", "dot", "rounded"],
)
def test_path_leads_through_points_from_the_top_left(
    points: list[tuple[float, float]], path: str
) -> None:
    assert line_path(points) == path
