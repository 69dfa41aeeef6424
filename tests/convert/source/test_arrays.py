"""Named arrays of a file: each is used once, and all faults are found."""

from typing import Any

import numpy as np
import pytest

from convert.source.arrays import matched_arrays
from convert.source.errors import WeightError

WANTED = {"conv1.weight": ("features.0.weight", (2, 3)), "bn1.running_var": ("v", (2,))}


def arrays(**changes: Any) -> dict[str, Any]:
    good = {"features.0.weight": np.ones((2, 3), np.float32), "v": np.ones(2, np.float16)}
    return {name: array for name, array in {**good, **changes}.items() if array is not None}


def test_each_array_gets_the_networks_name() -> None:
    found = arrays()
    tensors = matched_arrays(WANTED, found)
    assert list(tensors) == ["conv1.weight", "bn1.running_var"]
    assert tensors["conv1.weight"] is found["features.0.weight"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"v": None}, r"^v is missing, \(2,\) expected$"),
        ({"se.weight": np.ones(1)}, r"^se\.weight: unexpected, no layer of this network has it"),
        ({"v": np.ones(3)}, r"^v: \(2,\) expected, found \(3,\)$"),
        ({"v": np.ones(2, np.int64)}, r"^v: floats expected, found int64$"),
        ({"v": np.array([1, np.nan])}, r"^v: holds NaN or infinity"),
        ({"v": np.array([1, -1.0])}, r"^v: a variance below zero$"),
        ({"v": None, "x": np.ones(1)}, r"^x: unexpected.*\(and 1 more\)$"),
    ],
    ids=["missing", "unexpected", "shape", "type", "nan", "variance", "all"],
)
def test_fault_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightError, match=message):
        matched_arrays(WANTED, arrays(**changes))
