"""Curves over the epochs: their paths, and the epochs that are labelled."""

import pytest

from train.report.curves import Series, labelled_epochs, plot


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, [1]), (2, [1, 2]), (12, [1, 5, 12]), (300, [1, 100, 200, 300])]
)
def test_epochs_are_labelled_from_the_first_to_the_last(epochs: int, expected: list[int]) -> None:
    assert labelled_epochs(epochs) == expected


def test_curve_starts_and_ends_at_the_borders_of_its_box() -> None:
    found = plot("Error", [Series(name="x", values=[10.0, 5.0, 0.0], style="training")], best=2)
    assert found.curves[0].path == "M0 0L50 50L100 100"
    assert found.best == 50


def test_value_that_is_not_finite_is_left_out() -> None:
    found = plot("Loss", [Series(name="x", values=[4.0, float("nan"), 0.0], style="training")])
    assert found.curves[0].path == "M0 0L100 100"


def test_single_epoch_is_a_dot_in_the_middle() -> None:
    found = plot("Error", [Series(name="x", values=[5.0], style="training")], unit=" %", best=1)
    assert found.curves[0].path == "M50 16.67h0"
    assert (found.best, found.curves[0].last) == (50, "5 %")
