"""MXNet's operators, computed: against numbers that were worked out by hand."""

import numpy as np
import pytest
import torch

from convert.mxnet.oracle import run
from convert.mxnet.symbol import Node, Symbol
from convert.source.errors import StructureError

PICTURE = torch.arange(16, dtype=torch.float64).reshape(1, 1, 4, 4)
DATA_NODE = Node(position=0, op="null", name="data")


def one(op: str, *arrays: np.ndarray, x: torch.Tensor = PICTURE, **attributes: str) -> torch.Tensor:
    """Return what one operator answers."""
    variables = [Node(position=at, op="null", name=f"a{at}") for at, _ in enumerate(arrays, 1)]
    last = len(arrays) + 1
    node = Node(position=last, op=op, name="x", attributes=attributes, inputs=tuple(range(last)))
    symbol = Symbol(nodes=(DATA_NODE, *variables, node), head=last)
    return run(symbol, {f"arg:a{at}": each for at, each in enumerate(arrays, 1)}, x)


def test_pools_round_down_or_up() -> None:
    x = torch.arange(25, dtype=torch.float64).reshape(1, 1, 5, 5)
    window = {"kernel": "(2, 2)", "stride": "(2, 2)", "pool_type": "max"}
    assert one("Pooling", x=x, **window).tolist() == [[[[6, 8], [16, 18]]]]
    found = one("Pooling", x=x, **window, pooling_convention="full")
    assert found.tolist() == [[[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]]


def test_global_pools_ignore_their_window() -> None:
    assert one("Pooling", global_pool="True", kernel="(7, 7)", pool_type="avg").tolist() == (
        [[[[7.5]]]]
    )
    assert one("Pooling", global_pool="1", pool_type="max").tolist() == [[[[15]]]]


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        ({}, (15 - 3) / (4 + 1e-3) ** 0.5 + 0.5),  # MXNet's defaults: fix_gamma True, eps 1e-3
        ({"fix_gamma": "False", "eps": "0"}, (15 - 3) / 2 * 10 + 0.5),
        ({"fix_gamma": "True", "eps": "5"}, (15 - 3) / 3 + 0.5),
    ],
    ids=["defaults", "gamma", "eps"],
)
def test_batch_norm_has_mxnets_defaults(attributes: dict[str, str], value: float) -> None:
    arrays = [np.array([each], np.float32) for each in (10, 0.5, 3, 4)]
    assert one("BatchNorm", *arrays, **attributes)[0, 0, 3, 3].item() == pytest.approx(value)


def test_convolution_takes_stride_padding_and_groups() -> None:
    x = torch.stack([PICTURE[0, 0], -PICTURE[0, 0]])[None]
    weight = np.ones((2, 1, 3, 3), np.float32)
    found = one(
        "Convolution",
        weight,
        np.array([0, 1], np.float32),
        x=x,
        kernel="(3, 3)",
        stride="(2, 2)",
        pad="(1, 1)",
        num_group="2",
    )
    # Sums of the 2x2, 2x3, 3x2 and 3x3 numbers in the windows.
    assert found.tolist() == [[[[10, 24], [51, 90]], [[-9, -23], [-50, -89]]]]


def test_linear_layer_takes_all_of_a_picture() -> None:
    weight = np.zeros((2, 16), np.float32)
    weight[0, 3], weight[1, :] = 2, 1
    assert one("FullyConnected", weight, np.array([1, 0], np.float32)).tolist() == [[7, 120]]


def test_relu_and_addition() -> None:
    assert one("Activation", x=PICTURE - 14, act_type="relu").flatten().tolist() == [0] * 15 + [1]
    node = Node(position=1, op="elemwise_add", name="x", inputs=(0, 0))
    found = run(Symbol(nodes=(DATA_NODE, node), head=1), {}, PICTURE)
    assert found.tolist() == (2 * PICTURE).tolist()


def test_softmax_at_the_end_is_left_out() -> None:
    assert torch.equal(one("SoftmaxOutput", np.zeros(1, np.float32)), PICTURE)


def test_operator_without_arithmetic_is_refused() -> None:
    with pytest.raises(StructureError, match="node 1 'x': no arithmetic known for LRN"):
        one("LRN")


def test_sizes_that_do_not_match_are_refused() -> None:
    with pytest.raises(StructureError, match="node 2 'x': "):
        one("Convolution", np.ones((2, 3, 3, 3), np.float32), kernel="(3, 3)")
