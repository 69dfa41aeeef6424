"""Graphs to networks: which spec a graph is, how arrays become tensors, and what is refused.

The graphs are MXNet's, written by hand; `convert.mxnet.oracle` runs them without the mapping.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convert
from convert.loading import open_source
from convert.proof import prove
from convert.source.errors import StructureError, WeightError
from convert.source.source import Network
from resnext.spec import Block, Shortcut, Spec, StemPool
from tests.support.graph_nets import Net, resnext
from tests.support.graph_reading import read_mxnet
from tests.support.mxnet_writer import arrays, save, symbol

TINY = Spec(blocks=(1, 2, 1, 1), cardinality=2, base_width=2, planes=2, stem_width=4, classes=3)


def read(net: Net) -> Network:
    return read_mxnet(symbol(net), arrays(net))


NETS: dict[str, tuple[dict[str, Any], Spec]] = {
    "bottleneck": ({}, TINY),
    "more blocks": ({"units": (2, 1, 3, 2)}, replace(TINY, blocks=(2, 1, 3, 2))),
    "no groups": ({"groups": 1}, replace(TINY, cardinality=1, base_width=4)),
    "three stages": (
        {"filters": (4, 8, 16, 32), "units": (1, 2, 1)},
        replace(TINY, blocks=(1, 2, 1)),
    ),
    "basic": (
        {"bottle": False},
        Spec(
            blocks=(1, 2, 1, 1), block=Block.BASIC, base_width=8, planes=8, stem_width=4, classes=3
        ),
    ),
    "projections first": (
        {"bottle": False, "filters": (8, 8, 16, 32, 64)},
        Spec(
            blocks=(1, 2, 1, 1),
            block=Block.BASIC,
            shortcut=Shortcut.FIRST,
            base_width=8,
            planes=8,
            stem_width=8,
            classes=3,
        ),
    ),
    "pool without padding": ({"pool_pad": 0}, replace(TINY, stem_pool=StemPool.CEIL)),
    "stages of other widths": (
        {"filters": (4, 8, 8, 24, 16)},
        replace(TINY, stage_planes=(2, 2, 6, 4)),
    ),
    "gamma of the input": ({"fix_gamma": False}, TINY),
    "no batch norm of the input": ({"input_norm": False}, TINY),
}


@pytest.mark.parametrize("name", NETS)
def test_spec_is_recognised_and_the_network_proven(name: str, tmp_path: Path) -> None:
    keywords, spec = NETS[name]
    path = save(resnext(**keywords), tmp_path)
    checkpoint = convert.load(path)
    assert checkpoint.spec == spec
    assert prove(open_source(path).run, checkpoint).difference < 1e-6


def test_every_array_is_where_it_belongs() -> None:
    net = resnext()
    found = read(net).tensors
    pairs = {
        "conv1.weight": ("conv0", "weight"),
        "bn1.weight": ("bn0", "gamma"),
        "bn1.bias": ("bn0", "beta"),
        "bn1.running_mean": ("bn0", "mean"),
        "layer1.0.downsample.0.weight": ("stage1_unit1_sc", "weight"),
        "layer1.0.downsample.1.bias": ("stage1_unit1_sc_bn", "beta"),
        "layer2.1.conv2.weight": ("stage2_unit2_conv2", "weight"),
        "layer4.0.bn3.running_mean": ("stage4_unit1_bn3", "mean"),
        "fc.weight": ("fc1", "weight"),
        "fc.bias": ("fc1", "bias"),
    }
    for name, (op, field) in pairs.items():
        np.testing.assert_array_equal(found[name], net.op(op).arrays[field], err_msg=name)


def test_variance_makes_the_same_sum_with_another_eps() -> None:
    net = resnext()
    net.op("bn0").arrays["variance"][:] = [0, 1e-6, 1, 1000]
    found = read(net).tensors["bn1.running_var"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found + 1e-5, [2e-5, 2.1e-5, 1 + 2e-5, 1000], rtol=1e-7)


def test_eps_of_ours_keeps_every_bit() -> None:
    net = resnext(input_norm=False)
    for op in net.ops:
        if op.kind == "norm":
            op.settings["eps"] = "1e-05"
    found = read(net)
    assert found.conversions == ()
    assert {name.rsplit(".", 1)[1] for name in found.computed} == {"num_batches_tracked"}
    np.testing.assert_array_equal(
        found.tensors["bn1.running_var"], net.op("bn0").arrays["variance"]
    )


def test_variance_that_a_smaller_eps_would_make_negative_is_refused() -> None:
    net = resnext()
    net.op("bn0").settings["eps"] = "0"
    net.op("bn0").arrays["variance"][2] = 1e-6
    with pytest.raises(WeightError, match="'bn0': a variance that is not below 1e-05 expected"):
        read(net)


@pytest.mark.parametrize("eps", ["1e300", "1e999"])
def test_eps_that_no_float_holds_is_refused(eps: str) -> None:
    net = resnext()
    net.op("bn0").settings["eps"] = eps
    with pytest.raises(WeightError, match="'bn0': a value too large to be converted"):
        read(net)


def test_half_precision_is_not_rounded_once_more() -> None:
    net = resnext()
    values = net.op("bn0").arrays
    values["variance"] = values["variance"].astype(np.float16)
    found = read(net).tensors["bn1.running_var"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values["variance"].astype(float) + 1e-5, rtol=1e-7)


def test_gamma_that_is_fixed_counts_as_one(tmp_path: Path) -> None:
    net = resnext()
    net.op("bn0").settings["fix_gamma"] = True
    path = save(net, tmp_path)
    checkpoint = convert.load(path)
    assert checkpoint.tensors["bn1.weight"].tolist() == [1, 1, 1, 1]
    rule = "gamma of a batch norm counts as 1, as fix_gamma says"
    assert rule in checkpoint.provenance.conversions
    assert open_source(path).network().computed["bn1.weight"] == rule
    assert prove(open_source(path).run, checkpoint).difference < 1e-6


def test_bias_of_a_convolution_is_folded_into_the_mean(tmp_path: Path) -> None:
    net = resnext()
    bias = np.array([1, -2, 0.5, 0], np.float32)
    net.op("conv0").arrays["bias"] = bias
    net.op("conv0").settings["bias"] = True
    path = save(net, tmp_path)
    checkpoint = convert.load(path)
    mean = net.op("bn0").arrays["mean"]
    np.testing.assert_allclose(checkpoint.tensors["bn1.running_mean"], mean - bias, rtol=1e-6)
    assert prove(open_source(path).run, checkpoint).difference < 1e-6


def test_network_without_residual_blocks_is_refused() -> None:
    net = Net()
    net.conv("conv", "data", (3, 4), 7, stride=2, pad=3)
    net.add("pool", "average", "conv")
    net.add("fc", "linear", "pool", outputs=2)
    net.op("fc").arrays = {"weight": net.normal(2, 4), "bias": net.normal(2)}
    with pytest.raises(StructureError, match="residual blocks expected, found none"):
        read(net)


def test_blocks_of_two_kinds_are_refused() -> None:
    net = Net()
    x = net.relu("relu0", net.norm("bn0", net.conv("conv0", "data", (3, 4), 7, stride=2, pad=3), 4))
    x = net.add("pool0", "max", x, kernel=3, stride=2, pad=1)
    x = net.unit("a", x, (4, 4), 1, 1, bottle=True)
    x = net.unit("b", x, (4, 4), 1, 1, bottle=False)
    net.add("pool1", "average", x)
    net.add("fc1", "linear", "pool1", outputs=2)
    net.op("fc1").arrays = {"weight": net.normal(2, 4), "bias": net.normal(2)}
    with pytest.raises(StructureError, match=r"in every branch .* expected, found 2 and 3"):
        read(net)


def test_stem_without_batch_norm_is_refused() -> None:
    """MXNet's networks for pictures of 32 pixels have none: another network than ours."""
    net = resnext()
    net.op("pooling0").inputs = ["conv0"]
    net.ops = [op for op in net.ops if op.name not in ("bn0", "relu0")]
    with pytest.raises(StructureError, match="'conv0': ReLU expected, found convolution"):
        read(net)


@pytest.mark.parametrize(
    "filters", [(4, 6, 16, 32, 64), (4, 10, 16, 32, 64)], ids=["6 of 4", "10 of 4"]
)
def test_widths_that_no_spec_has_are_refused(filters: tuple[int, ...]) -> None:
    with pytest.raises(StructureError, match="expected, found"):
        read(resnext(filters=filters, groups=1))
