"""What differs between networks: bits, types, architectures, and the mean and std of a graph."""

from dataclasses import replace

import numpy as np
import pytest

from convert.differences import changed_norm, spec_differences, tensor_differences
from convert.source.source import Network
from resnext.header import Origin
from resnext.preprocessing import CIFAR10, IMAGENET, Preprocessing
from resnext.spec import Spec, StemPool

SPEC = Spec(blocks=(1, 1, 1), classes=10)
HALVES = np.array([[0.0, 1.0], [-2.0, 0.5]], np.float16)


@pytest.mark.parametrize(
    ("found", "values", "largest"),
    [
        ([[-0.0, 1.0], [-2.0, 0.5]], 1, 0.0),
        ([[0.0, 1.0], [-2.0, 0.75]], 1, 0.25),
        ([[0.5, 1.0], [2.0, 0.5]], 2, 4.0),
    ],
    ids=["sign of zero", "one value", "two values"],
)
def test_bits_that_differ_are_counted(
    found: list[list[float]], values: int, largest: float
) -> None:
    other = np.array(found, np.float16)
    (difference,) = tensor_differences({"a": HALVES}, {"a": other}, without=())
    assert (difference.values, difference.largest) == (values, largest)
    assert (difference.expected, difference.found) == ("float16 (2, 2)", "float16 (2, 2)")


def test_same_bits_in_another_order_of_memory_are_the_same() -> None:
    other = np.asfortranarray(HALVES)
    assert list(tensor_differences({"a": HALVES}, {"a": other}, without=())) == []


def test_single_number_and_tensors_left_out() -> None:
    expected = {"n": np.array(0), "a": HALVES}
    found = {"n": np.array(7), "a": HALVES}
    (difference,) = tensor_differences(expected, found, without=())
    assert (difference.name, difference.values, difference.largest) == ("n", 1, 7.0)
    assert list(tensor_differences(expected, found, without=["n"])) == []


def test_largest_difference_of_the_largest_numbers_is_infinite() -> None:
    most = np.finfo(np.float64).max
    (difference,) = tensor_differences(
        {"a": np.array([most])}, {"a": np.array([-most])}, without=()
    )
    assert difference.largest == np.inf


def test_architectures_differ_field_by_field() -> None:
    assert list(spec_differences(SPEC, SPEC)) == []
    other = replace(SPEC, cardinality=8, classes=7)
    assert list(spec_differences(SPEC, other)) == [("cardinality", 1, 8), ("classes", 10, 7)]


def test_architectures_differ_in_what_headers_leave_out_where_it_is_usual() -> None:
    usual = Spec(blocks=(1, 1, 1, 1))
    other = replace(usual, stem_pool=StemPool.CEIL)
    assert list(spec_differences(usual, other)) == [("stem_pool", "padded", "ceil")]
    assert list(spec_differences(other, usual)) == [("stem_pool", "ceil", "padded")]


@pytest.mark.parametrize(
    ("stated", "row", "words"),
    [
        (None, IMAGENET, ""),
        ((IMAGENET, Origin.FILE), CIFAR10, ""),
        ((IMAGENET, Origin.GRAPH), replace(IMAGENET, scale=300, crop=280), ""),
        ((IMAGENET, Origin.GRAPH), None, "mean and std of the original's graph expected (scale"),
        (
            (IMAGENET, Origin.GRAPH),
            replace(IMAGENET, mean=(0.5, 0.25, 0)),
            "mean 0.5 0.25 0 in place of 0.485 0.456 0.406",
        ),
    ],
    ids=["none", "stated only", "other sides", "none stored", "other mean"],
)
def test_mean_and_std_of_a_graph_belong_to_its_weights(
    stated: tuple[Preprocessing, Origin] | None, row: Preprocessing | None, words: str
) -> None:
    found = changed_norm(Network(spec=SPEC, tensors={}, preprocessing=stated), row)
    assert found.startswith(words)
    assert bool(found) == bool(words)
