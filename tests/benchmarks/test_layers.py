"""The convolutions of a network, one by one."""

from collections.abc import Iterator

import pytest
import torch

from benchmarks.layers import Layer, layers, measure, ways
from benchmarks.networks import RESNEXT_50
from resnext.layout import layout
from resnext.spec import Spec

TINY = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=4, planes=8, stem_width=8, classes=7)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_convolution_of_a_network_is_counted() -> None:
    found = layers(RESNEXT_50, 224)
    assert sum(found.values()) == 53
    assert found[Layer(inputs=1024, outputs=512, side=14, kernel=1, stride=1, groups=1)] == 5
    assert found[Layer(inputs=128, outputs=128, side=56, kernel=3, stride=1, groups=32)] == 3
    assert {layer.kind for layer in found} == {
        *("7x7", "1x1"),
        *(f"3x3, groups of {width}" for width in (4, 8, 16, 32)),
    }
    products = sum(layer.multiply_adds * times for layer, times in found.items())
    assert products == layout(RESNEXT_50).multiply_adds(224) - 2048 * 1000  # the classifier


def test_answers_of_every_layout_have_one_size() -> None:
    torch.manual_seed(0)
    layer = Layer(inputs=16, outputs=16, side=8, kernel=1, stride=1, groups=1)
    calls = ways(layer, 2)
    assert [tuple(call().shape) for call in calls.values()] == [(2, 16, 8, 8)] * 2


def test_kinds_are_measured() -> None:
    rows = measure(TINY, side=64, count=1, rounds=1)
    assert set(rows) >= {"7x7", "1x1"}
    assert all(row["channels_last"] >= 0 and row["blocked"] >= 0 for row in rows.values())
