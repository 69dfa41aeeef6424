"""Checks of values from files."""

from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from resnext.fields import check_shape, is_number, is_whole


@pytest.mark.parametrize("value", [0, -3, 10**400, np.int64(7), np.uint8(7)])
def test_whole_number_is_whole(value: object) -> None:
    assert is_whole(value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, np.float32(1)])
def test_other_value_is_not_whole(value: object) -> None:
    assert not is_whole(value)


@pytest.mark.parametrize("value", [0, -0.5, 99, np.float32(1.5), np.int64(3)])
def test_number_below_the_limit_is_a_number(value: object) -> None:
    assert is_number(value, below=100)


@pytest.mark.parametrize("value", [True, "1", nan, inf, -inf, 100, -100.0, 10**400, Decimal(1)])
def test_other_value_is_no_number(value: object) -> None:
    assert not is_number(value, below=100)


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        ([], {"a": int}, "row: a table of a expected"),
        ({"a": 1, "b": 2}, {"a": int}, "row: a table of a expected"),
        ({"a": -1}, {"a": int}, "row a: a value of the kind int expected"),
        ({"a": True}, {"a": int}, "row a: a value of the kind int expected"),
        ({"a": 2**63}, {"a": int}, "row a: a value of the kind int expected"),
        ({"a": {"b": nan}}, {"a": {"b": float}}, "row a b: a finite number expected"),
        ({"a": 3}, {"a": str}, "row a: a value of the kind str expected"),
    ],
)
def test_value_of_another_shape_is_refused_by_name(value: Any, shape: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        check_shape(value, shape, "row")


def test_value_of_the_shape_is_taken() -> None:
    check_shape({"a": 3, "b": {"c": 4}}, {"a": int, "b": {"c": float}}, "row")
