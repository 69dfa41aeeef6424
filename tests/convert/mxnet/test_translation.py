"""MXNet's operators: those of the family, and what else is refused, with the node's name."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.source.errors import (
    ForeignModuleError,
    RefusedError,
    StructureError,
    WeightError,
)
from convert.source.source import Network
from tests.support.graph_nets import resnext
from tests.support.graph_reading import read_mxnet
from tests.support.mxnet_writer import arrays, symbol

Document = dict[str, Any]


def read(document: Document, values: dict[str, np.ndarray] | None = None) -> Network:
    return read_mxnet(document, arrays(resnext()) if values is None else values)


def node(document: Document, name: str) -> Document:
    return next(each for each in document["nodes"] if each["name"] == name)


def with_setting(name: str, key: str, value: str | None) -> Document:
    document = symbol(resnext())
    settings = node(document, name).setdefault("attrs", {})
    if value is None:
        del settings[key]
    else:
        settings[key] = value
    return document


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("conv0", "kernel", "(5, 5)", "kernel 7 expected, found 5"),
        ("conv0", "kernel", "(7, 5)", "kernel 7 expected, found 7x5"),
        ("conv0", "stride", "(1, 1)", "stride 2 expected, found 1"),
        ("conv0", "pad", "(2, 2)", "padding 3 expected, found 2"),
        ("conv0", "dilate", "(2, 2)", "dilation 1 expected, found 2"),
        ("conv0", "num_group", "3", "groups 1 expected, found 3"),
        ("conv0", "num_group", "0", "filters and groups of at least 1"),
        ("conv0", "layout", "NHWC", "layout NCHW expected, found 'NHWC'"),
        ("conv0", "kernel", "(7,)", r"kernel must be a pair of whole numbers, found '\(7,\)'"),
        ("conv0", "kernel", "seven", "kernel must be a pair"),
        ("conv0", "num_filter", None, "num_filter is missing, a whole number expected"),
        ("conv0", "num_filter", "9" * 30, "num_filter must be a whole number"),
        ("conv0", "num_filter", "-4", "num_filter must be a whole number, found '-4'"),
        ("conv0", "no_bias", "False", "3 inputs expected, found 2"),
        ("conv0", "no_bias", "maybe", "no_bias must be True or False"),
        ("conv0", "num_deformable_group", "1", "found the unknown 'num_deformable_group'"),
        ("stage2_unit1_conv2", "num_group", "4", "groups 2 expected, found 4"),
        ("stage2_unit2_conv2", "num_group", "4", "groups 2 expected, found 4"),
        ("stage2_unit1_conv1", "stride", "(2, 2)", "stride 1 expected, found 2"),
        ("stage2_unit1_sc", "stride", "(1, 1)", "stride 2 expected, found 1"),
        ("bn0", "axis", "-1", "axis 1 expected, found '-1'"),
        ("bn0", "eps", "small", "eps must be a number"),
        ("bn0", "output_mean_var", "True", "output_mean_var False expected"),
        ("relu0", "act_type", "tanh", "act_type relu expected, found 'tanh'"),
        ("pooling0", "pool_type", "avg", "a residual|max-pool expected, found average pool"),
        ("pooling0", "pool_type", "lp", "pool_type max or avg expected, found 'lp'"),
        ("pooling0", "kernel", "(2, 2)", "window 3, stride 2, padding 1 expected, found 2,"),
        ("pooling0", "pad", "(0, 0)", "rounding up expected, found down"),
        ("pooling0", "pooling_convention", "full", "rounding down expected, found up"),
        ("pooling0", "pooling_convention", "same", "pooling_convention valid or full expected"),
        ("pooling0", "global_pool", "True", "found the whole map"),
        ("pool1", "pool_type", "max", "average pool expected, found max-pool"),
        ("fc1", "num_hidden", "4", r"weight: \(4, 64\) expected, found \(3, 64\)"),
        ("fc1", "flatten", "False", "flatten True expected, found False"),
        ("stage1_unit1_plus", "scalar", "2", "found the unknown 'scalar'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_setting_that_changes_the_arithmetic_is_refused(
    name: str, key: str, value: str | None, message: str
) -> None:
    with pytest.raises(RefusedError, match=rf"node \d+ '{name}'.*({message})"):
        read(with_setting(name, key, value))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("conv0", "workspace", "1024"),
        ("conv0", "cudnn_tune", "fastest"),
        ("conv0", "dilate", "()"),
        ("conv0", "layout", "None"),
        ("conv0", "num_filter", "4L"),
        ("conv0", "kernel", "[7,7]"),
        ("bn0", "use_global_stats", "True"),
        ("bn0", "momentum", "0.5"),
        ("bn0", "__lr_mult__", "0"),
        ("conv0", "weight_lr_mult", "0.1"),
        ("relu0", "mirror_stage", "True"),
        ("pool1", "kernel", "(9, 9)"),
        ("softmax", "grad_scale", "3"),
    ],
    ids=str,
)
def test_setting_without_effect_is_not_looked_at(name: str, key: str, value: str) -> None:
    assert read(with_setting(name, key, value)).spec.name == "resnext_17_2x2d"


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("conv0", "Convolution_v1"),
        ("bn0", "CuDNNBatchNorm"),
        ("pooling0", "Pooling_v1"),
        ("stage1_unit1_plus", "_Plus"),
        ("stage1_unit1_plus", "ElementWiseSum"),
        ("softmax", "Softmax"),
        ("softmax", "log_softmax"),
    ],
    ids=str,
)
def test_operators_of_other_versions_are_the_same(name: str, op: str) -> None:
    document = symbol(resnext())
    node(document, name)["op"] = op
    assert read(document).spec.name == "resnext_17_2x2d"


def changed(change: Callable[[Document], object]) -> Document:
    document = symbol(resnext())
    change(document)
    return document


def rewired(name: str, at: int, source: str) -> Document:
    """Return the graph in which a node takes another one's output."""
    document = symbol(resnext())
    names = [each["name"] for each in document["nodes"]]
    node(document, name)["inputs"][at] = [names.index(source), 0, 0]
    return document


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        (
            changed(lambda d: node(d, "relu0").update(op="LeakyReLU")),
            ForeignModuleError,
            r"node \d+ 'relu0' \(LeakyReLU\): no operator of the ResNeXt and ResNet family",
        ),
        (
            rewired("stage1_unit1_sc", 0, "bn0"),
            StructureError,
            "a branch and a shortcut of one input|is used in an unexpected place|max-pool expected",
        ),
        (
            rewired("stage2_unit2_plus", 1, "stage1_unit1_relu"),
            StructureError,
            r"node \d+ 'stage2_unit2_plus'|'stage1_unit1_relu'",
        ),
        (
            rewired("stage3_unit1_plus", 1, "stage3_unit1_bn3"),
            StructureError,
            "a branch and a shortcut",
        ),
        (
            rewired("stage2_unit2_conv1", 1, "stage2_unit1_conv1_weight"),
            WeightError,
            "an array of its own expected, found 'arg:stage2_unit1_conv1_weight' of node",
        ),
        (rewired("conv0", 1, "data"), StructureError, "an array expected, found node 0 'data'"),
        (rewired("fc1", 1, "pool1"), StructureError, "an array expected"),
        (
            rewired("relu0", 0, "data"),
            StructureError,
            "'relu0': batch norm expected|is used in|'data'|expected, found",
        ),
        (
            changed(lambda d: d.update(heads=[[0, 0, 0]])),
            StructureError,
            "node 0 'data': fully connected expected, found input",
        ),
        (
            changed(lambda d: d["nodes"][5].update(inputs=d["nodes"][5]["inputs"][:4])),
            StructureError,
            "5 inputs expected, found 4",
        ),
    ],
    ids=range(10),
)
def test_another_graph_is_refused(document: Document, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(document)


def test_operator_that_leads_nowhere_is_refused() -> None:
    document = symbol(resnext())
    at = len(document["nodes"]) - 3
    document["nodes"].append({"op": "relu", "name": "lost", "inputs": [[at, 0, 0]]})
    with pytest.raises(StructureError, match="'lost': a ReLU that does not lead to the logits"):
        read(document)


def test_fixed_window_of_the_last_pool_is_the_whole_map_or_refused() -> None:
    """The original's window of 7x7 is the whole map, of its own pictures of 224 pixels."""
    document = with_setting("pool1", "global_pool", "False")
    assert read(document).spec.pool == 7
    node(document, "pool1")["attrs"]["kernel"] = "(5, 5)"
    with pytest.raises(StructureError, match="7, stride 1, padding 0 or the whole map expected"):
        read(document)


def test_identity_and_dropout_change_nothing() -> None:
    document = symbol(resnext())
    for op, at in (("_copy", 0), ("Dropout", 1)):
        nodes = document["nodes"]
        nodes.insert(at + 1, {"op": op, "name": op, "inputs": [[at, 0, 0]]})
        for each in [*nodes[at + 2 :], {"inputs": document["heads"]}]:
            for row in each["inputs"]:
                row[0] += row[0] >= at + (each is not nodes[at + 2] or row[0] > at)
    # The first takes the variable, the second the first; whatever took the variable takes these.
    assert read(document).spec.name == "resnext_17_2x2d"


def with_cast(dtype: str) -> Document:
    """Return the graph with a cast of its input, as MXNet's script builds it for half precision."""
    document = symbol(resnext())
    for each in [*document["nodes"], {"inputs": document["heads"]}]:
        for row in each["inputs"]:
            row[0] += 1  # the picture is node 0, and who took it takes the cast
    cast = {"op": "Cast", "name": "cast", "inputs": [[0, 0, 0]], "attrs": {"dtype": dtype}}
    document["nodes"].insert(1, cast)
    return document


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"p": "0.5", "mode": "training", "axes": "()", "cudnn_off": "False"}, ""),
        ({"p": "0.5", "mode": "always"}, "'flat': mode training expected, found 'always'"),
    ],
    ids=["training", "always"],
)
def test_dropout_is_of_the_training_only_or_refused(settings: dict[str, str], fault: str) -> None:
    document = with_reshape(**settings)
    node(document, "flat")["op"] = "Dropout"
    if not fault:
        assert read(document).spec.name == "resnext_17_2x2d"
        return
    with pytest.raises(StructureError, match=fault):
        read(document)


def with_reshape(**settings: str) -> Document:
    """Return the graph with a Reshape behind the last pool."""
    document = symbol(resnext())
    nodes = document["nodes"]
    at = next(n for n, each in enumerate(nodes) if each["name"] == "pool1")
    for each in [*nodes, {"inputs": document["heads"]}]:
        for row in each["inputs"]:
            row[0] += row[0] >= at  # who took the pool takes the Reshape
    reshape = {"op": "Reshape", "name": "flat", "inputs": [[at, 0, 0]], "attrs": settings}
    nodes.insert(at + 1, reshape)
    return document


@pytest.mark.parametrize("shape", ["(0, -1)", "(0,-1)", "[0, -1]"])
def test_reshape_that_flattens_is_read(shape: str) -> None:
    assert read(with_reshape(shape=shape)).spec.name == "resnext_17_2x2d"


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": "(-1, 0)"},
        {"shape": "(0, 64)"},
        {},
        {"shape": "(0, -1)", "reverse": "True"},
        {"shape": "(0, -1)", "target_shape": "(1, 64)"},
    ],
    ids=str,
)
def test_other_reshape_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(StructureError, match=r"node \d+ 'flat': "):
        read(with_reshape(**settings))


def test_cast_to_half_precision_is_left_out_and_said() -> None:
    words = "cast to half precision left out: the arithmetic is that of the type of the weights"
    assert words in read(with_cast("float16")).conversions
    assert words not in read(with_cast("float32")).conversions


def test_cast_to_whole_numbers_is_refused() -> None:
    with pytest.raises(StructureError, match=r"'cast': dtype must be float16, .*, found 'int8'"):
        read(with_cast("int8"))


def test_arrays_without_a_kind_in_their_names_ask_for_it() -> None:
    values = {name.split(":")[1]: value for name, value in arrays(resnext()).items()}
    with pytest.raises(WeightError, match="arg: or aux: in front expected, found bn_data_gamma"):
        read(symbol(resnext()), values)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda a: a.update({"arg:extra": np.zeros(3, np.float32)}),
            WeightError,
            "arg:extra: unexpected, no node of the graph takes it; not converted",
        ),
        (
            lambda a: a.pop("arg:conv0_weight"),
            WeightError,
            r"node \d+ 'conv0': weight is missing, \(4, 3, 7, 7\) expected",
        ),
        (
            lambda a: a.update({"aux:bn0_gamma": a.pop("arg:bn0_gamma")}),
            WeightError,
            "aux:bn0_gamma: unexpected",
        ),
        (
            lambda a: a.update({"arg:conv0_weight": a["arg:conv0_weight"][:, :2]}),
            WeightError,
            r"'conv0': weight: \(4, 3, 7, 7\) expected, found \(4, 2, 7, 7\)",
        ),
        (
            lambda a: a.update({"arg:bn0_beta": np.zeros(4, np.int32)}),
            WeightError,
            "'bn0': beta: floats expected, found int32",
        ),
        (
            lambda a: a.update({"arg:fc1_bias": np.full(3, np.nan, np.float32)}),
            WeightError,
            "'fc1': bias: holds NaN or infinity",
        ),
        (
            lambda a: a.update({"aux:bn0_moving_var": np.full(4, -1, np.float32)}),
            WeightError,
            "'bn0': variance: a variance below zero",
        ),
        (
            lambda a: a.update({"arg:data": np.zeros((1, 3, 9, 9), np.float32)}),
            StructureError,
            "one picture as the network's only input expected, found the variable 'data'",
        ),
        (
            lambda a: a.update({"aux:bn_data_moving_var": np.full(3, 1e30, np.float32)}),
            WeightError,
            "'bn_data': mean must be three numbers, finite and below",
        ),
    ],
    ids=range(9),
)
def test_arrays_that_are_not_the_graphs_are_refused(
    change: Callable[[dict[str, np.ndarray]], object], error: type[Exception], message: str
) -> None:
    values = arrays(resnext())
    change(values)
    with pytest.raises(error, match=message):
        read(symbol(resnext()), values)


def test_names_are_not_trusted() -> None:
    """A graph whose names say something else is read as what it is."""
    text = json.dumps(symbol(resnext()))
    document = json.loads(text.replace("stage1_unit1", "stage4_unit9"))
    values = {k.replace("stage1_unit1", "stage4_unit9"): v for k, v in arrays(resnext()).items()}
    found = read(document, values)
    weight = found.tensors["layer1.0.conv1.weight"]
    np.testing.assert_array_equal(weight, arrays(resnext())["arg:stage1_unit1_conv1_weight"])
