"""Checks of values from files."""

import pickle
from copy import deepcopy
from decimal import Decimal
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnext.errors import PublishedError
from resnext.fields import SHOWN, check_shape, check_whole, is_number, is_whole, read_toml, shown


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


def deep(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [10**5000, [10**5000] * 3, "a" * 10**6, ["a" * 10**6] * 100, deep(10_000), {"a" * 999: 1}],
    ids=["number", "numbers", "text", "texts", "depth", "key"],
)
def test_value_that_is_not_small_is_shown_in_part(value: object) -> None:
    assert 0 < len(shown(value)) <= SHOWN


@pytest.mark.parametrize("value", [0, -7, 10**30, 0.5, "mine", [1, 2.5, "a"], {"a": [1]}, None])
def test_small_value_is_shown_as_python_writes_it(value: object) -> None:
    assert shown(value) == repr(value)


@pytest.mark.parametrize("value", [10**5000, -(2**63), 2**63], ids=["long", "least", "most"])
def test_whole_number_beyond_64_bits_is_refused(value: int) -> None:
    with pytest.raises(PublishedError, match=r"^bytes must be a whole number below 2\*\*63, found"):
        check_whole(value, "bytes", PublishedError)


@pytest.mark.parametrize(
    "text",
    ["crop = " + "9" * 5000, "crop = " + "[" * 100_000, "crop = [" * 2, "a" * 10**5],
    ids=["number", "depth", "open", "key"],
)
def test_toml_that_cannot_be_read_is_one_short_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "large.toml"
    path.write_text(text)
    with pytest.raises(PublishedError) as caught:
        read_toml(path, PublishedError)
    assert str(caught.value).startswith(f"{path}: not a TOML file: ")
    assert len(str(caught.value)) < len(str(path)) + SHOWN + 30


def test_number_with_a_point_keeps_its_digits_and_can_be_copied(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("a = +4.1_0\n")
    value = read_toml(tmp_path / "x.toml", PublishedError)["a"]
    for each in (value, deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301
        assert (each, str(each)) == (4.1, "4.10")
