"""Caffe's layers, computed: against numbers that were worked out by hand."""

import numpy as np
import pytest
import torch

from convert.caffe.layers import read_layers
from convert.caffe.oracle import run
from convert.caffe.text_format import read_text_format
from convert.source.errors import StructureError

PICTURE = torch.arange(25, dtype=torch.float64).reshape(1, 1, 5, 5)
INPUT = 'layer { name: "data" type: "Input" top: "data" }\n'


def one(kind: str, *arrays: list[float] | np.ndarray, inside: str = "") -> torch.Tensor:
    """Return what one layer answers."""
    text = f'layer {{ name: "x" type: "{kind}" bottom: "data" top: "data" {inside} }}'
    layers = read_layers(read_text_format((INPUT + text).encode(), "n"), "n")
    return run(layers, {"x": [np.array(each, np.float32) for each in arrays]}, PICTURE)


def test_pools_round_up() -> None:
    window = "pool: MAX kernel_size: 2 stride: 2"
    up = [[[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]]
    assert one("Pooling", inside=f"pooling_param {{ {window} }}").tolist() == up
    down = one("Pooling", inside=f"pooling_param {{ {window} round_mode: FLOOR }}")
    assert down.tolist() == [[[[6, 8], [16, 18]]]]


def test_global_pool_averages() -> None:
    found = one("Pooling", inside="pooling_param { pool: AVE global_pooling: true }")
    assert found.tolist() == [[[[12]]]]


@pytest.mark.parametrize(
    ("factor", "eps", "value"),
    [
        (2, "", (24 - 3) / (4 + 1e-5) ** 0.5),  # Caffe's eps
        (2, "batch_norm_param { eps: 5 }", (24 - 3) / 3),
        (0, "batch_norm_param { eps: 4 }", 24 / 2),  # mean and variance count as 0
    ],
    ids=["defaults", "eps", "zero"],
)
def test_batch_norm_divides_by_its_factor(factor: float, eps: str, value: float) -> None:
    found = one("BatchNorm", [6], [8], [factor], inside=eps)
    assert found[0, 0, 4, 4].item() == pytest.approx(value)


def test_scale_multiplies_and_shifts() -> None:
    assert one("Scale", [2], [1])[0, 0, 4, 4].item() == 49
    assert one("Scale", [2])[0, 0, 4, 4].item() == 48


def test_relu_has_a_slope() -> None:
    inside = "relu_param { negative_slope: 0.5 }"
    text = f'layer {{ name: "x" type: "ReLU" bottom: "data" top: "y" {inside} }}'
    layers = read_layers(read_text_format((INPUT + text).encode(), "n"), "n")
    found = run(layers, {}, PICTURE - 23).flatten().tolist()
    assert (found[0], found[23], found[24]) == (-11.5, 0, 1)


def test_layer_takes_the_last_value_of_a_name() -> None:
    """As in Caffe, a layer in place changes what the layers behind it take, not those before."""
    text = (
        INPUT
        + 'layer { name: "a" type: "Scale" bottom: "data" top: "a" }\n'
        + 'layer { name: "b" type: "Scale" bottom: "data" top: "data" }\n'
        + 'layer { name: "c" type: "Eltwise" bottom: "data" bottom: "a" top: "c" '
        + "eltwise_param { coeff: 1 coeff: -1 } }\n"
    )
    layers = read_layers(read_text_format(text.encode(), "n"), "n")
    blobs = {"a": [np.array([2], np.float32)], "b": [np.array([10], np.float32)]}
    assert torch.equal(run(layers, blobs, PICTURE), 8 * PICTURE)


def test_convolution_and_linear_take_blobs_of_old_sizes() -> None:
    inside = "convolution_param { kernel_size: 3 stride: 2 }"
    found = one("Convolution", np.ones((1, 1, 3, 3)), np.ones((1, 1, 1, 1)), inside=inside)
    # Nine times the number in the middle of each window, and the bias.
    assert found.tolist() == [[[[55, 73], [145, 163]]]]
    weight = np.zeros((1, 1, 1, 25))
    weight[..., 24] = 2
    assert one("InnerProduct", weight, np.ones((1, 1, 1, 1))).tolist() == [[49]]


def test_softmax_at_the_end_is_left_out() -> None:
    assert torch.equal(one("Softmax"), PICTURE)


def test_type_without_arithmetic_is_refused() -> None:
    with pytest.raises(StructureError, match="layer 'x': no arithmetic known for LRN"):
        one("LRN")


def test_sizes_that_do_not_match_are_refused() -> None:
    with pytest.raises(StructureError, match="layer 'x': "):
        one("Convolution", np.ones((1, 3, 3, 3)), inside="convolution_param { kernel_size: 3 }")
