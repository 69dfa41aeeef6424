"""The oracle: Torch7's own answers, from the modules alone, without a spec or the mapping."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from convert.source.errors import StructureError
from convert.torch7 import file as t7
from convert.torch7.oracle import run
from convert.torch7.tree import Module, find_network
from tests.support.golden import ANSWERED
from tests.support.lua_nets import at, children, net, place
from tests.support.t7_writer import Object, Storage, dumps, tensor


def module(source: Object) -> Module:
    return find_network(t7.loads(dumps(source)).root)


def answer(source: Object, *values: Any) -> Any:
    """Run a hand-made module on one array, or on a table of several, in float64."""
    inputs = [torch.tensor(np.asarray(value), dtype=torch.float64) for value in values]
    found = run(module(source), inputs[0] if len(inputs) == 1 else inputs)
    if isinstance(found, list):
        return [item.tolist() for item in found]
    return found.tolist()


@pytest.mark.parametrize("name", ANSWERED)
def test_golden_network_gives_the_answer_of_torch7(golden: Callable[[str], Any], name: str) -> None:
    data = golden(name)
    tree = find_network(t7.load(data.path).root)
    found = run(tree, torch.from_numpy(data.input.copy()).float())
    np.testing.assert_allclose(found.numpy(), data.output, rtol=0, atol=2e-5)


def test_arithmetic_has_the_precision_of_the_input() -> None:
    tree = module(net())
    picture = torch.zeros(1, 3, 32, 32)
    assert run(tree, picture.double()).dtype == torch.float64
    assert run(tree, picture).dtype == torch.float32


def test_form_b_answers_what_form_c_answers() -> None:
    """Four branches, each with a slice of the grouped convolutions' weights."""
    options = {"cardinality": 4, "base_width": 3}
    whole, split = net(block="resnext_C", **options), net(block="resnext_B", **options)
    for number in (1, 2, 3, 7, 8, 9):
        children(split)[number - 1] = at(whole, number)
    for stage in (4, 5, 6):
        branch, parts = at(whole, stage, 1, 1, 1), at(split, stage, 1, 1, 1)
        children(at(split, stage, 1, 1))[1] = at(whole, stage, 1, 1, 2)
        children(parts)[2:] = children(branch)[6:]
        for index, part in enumerate(children(children(parts)[0])):
            for source, target in zip(children(branch)[:6], children(part), strict=True):
                for name in ("weight", "bias", "running_mean", "running_var"):
                    if name in source.fields:
                        value = source.fields[name]
                        array = np.reshape(value.storage.values, value.shape)
                        target.fields[name] = tensor(np.split(array, 4)[index])
    picture = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator())
    found, expected = run(module(split), picture.clone()), run(module(whole), picture.clone())
    assert (found - expected).abs().max() < 1e-14 * expected.abs().max()


# Single modules, by hand


def conv(**fields: Any) -> Object:
    defaults = {"kW": 1, "kH": 1, "nInputPlane": 1, "nOutputPlane": 1}
    return Object("nn.SpatialConvolution", {**defaults, **fields})


ROW = [[[[1.0, 2.0, 3.0]]]]  # (1, 1, 1, 3)
COLUMN = [[[[1.0], [2.0], [3.0]]]]


def test_convolution_is_a_correlation_along_width_and_height() -> None:
    weight = tensor(np.array([10.0, 1.0]).reshape(1, 1, 1, 2))
    assert answer(conv(kW=2, weight=weight), ROW) == [[[[12.0, 23.0]]]]
    weight = tensor(np.array([10.0, 1.0]).reshape(1, 1, 2, 1))
    assert answer(conv(kH=2, weight=weight), COLUMN) == [[[[12.0], [23.0]]]]


def test_convolution_has_stride_padding_and_bias() -> None:
    layer = conv(dW=2, padW=1, weight=tensor(np.full((1, 1, 1, 1), 2.0)), bias=tensor([0.5]))
    assert answer(layer, ROW) == [[[[0.5, 4.5, 0.5]]]]


def test_convolution_with_two_dimensional_weight_is_the_same() -> None:
    assert answer(conv(kW=2, weight=tensor([[10.0, 1.0]])), ROW) == [[[[12.0, 23.0]]]]


def test_convolution_with_groups_keeps_them_apart() -> None:
    layer = conv(groups=2, nInputPlane=2, nOutputPlane=2)
    layer.fields["weight"] = tensor(np.array([3.0, 5.0]).reshape(2, 1, 1, 1))
    assert answer(layer, [[[[1.0]], [[10.0]]]]) == [[[[3.0]], [[50.0]]]]


def norm(**fields: Any) -> Object:
    defaults = {"weight": tensor([3.0]), "bias": tensor([0.25]), "running_mean": tensor([1.0])}
    return Object("nn.SpatialBatchNormalization", {"eps": 0, **defaults, **fields})


def test_batch_norm_uses_its_running_statistics() -> None:
    assert answer(norm(running_var=tensor([4.0])), ROW) == [[[[0.25, 1.75, 3.25]]]]


def test_batch_norm_adds_eps_to_the_variance() -> None:
    assert answer(norm(running_var=tensor([1.0]), eps=3), ROW) == [[[[0.25, 1.75, 3.25]]]]


def test_batch_norm_of_version_1_multiplies_by_running_std() -> None:
    assert answer(norm(running_std=tensor([0.5]), eps=3), ROW) == [[[[0.25, 1.75, 3.25]]]]


def test_relu_cuts_at_zero() -> None:
    assert answer(Object("nn.ReLU", {"inplace": False}), [[-1.0, 2.0]]) == [[0.0, 2.0]]


def test_max_pool_pads_with_nothing() -> None:
    window = {"kW": 2, "kH": 1, "dW": 2, "dH": 1, "padW": 1, "padH": 0, "ceil_mode": False}
    assert answer(Object("nn.SpatialMaxPooling", window), [[[[-1.0, -2.0, -3.0]]]]) == [
        [[[-1.0, -2.0]]]
    ]


def test_average_pool_divides_by_its_window() -> None:
    window = {"kW": 3, "kH": 1, "dW": 1, "dH": 1}
    assert answer(Object("cudnn.SpatialAveragePooling", window), ROW) == [[[[2.0]]]]


@pytest.mark.parametrize("name", ["nn.SpatialMaxPooling", "nn.SpatialAveragePooling"])
def test_pool_without_a_stride_moves_by_one_pixel(name: str) -> None:
    assert answer(Object(name, {"kW": 1, "kH": 1}), ROW) == ROW
    assert answer(Object(name, {"kW": 1, "kH": 1}), COLUMN) == COLUMN


def test_convolution_without_a_stride_moves_by_one_pixel() -> None:
    layer = conv(weight=tensor(np.ones((1, 1, 1, 1))))
    assert answer(layer, ROW) == ROW
    assert answer(layer, COLUMN) == COLUMN


def test_pool_rounds_up_in_ceil_mode() -> None:
    window = {"kW": 2, "kH": 1, "dW": 2, "dH": 1, "ceil_mode": True}
    assert answer(Object("nn.SpatialMaxPooling", window), ROW) == [[[[2.0, 3.0]]]]


def test_tables_are_added_and_joined() -> None:
    left, right = [[1.0, 2.0]], [[10.0, 20.0]]
    assert answer(Object("nn.CAddTable"), left, right) == [[11.0, 22.0]]
    assert answer(Object("nn.JoinTable", {"dimension": 2}), left, right) == [[1.0, 2.0, 10.0, 20.0]]
    assert answer(Object("nn.JoinTable", {"dimension": 1}), left, right) == [
        [1.0, 2.0],
        [10.0, 20.0],
    ]


def test_concat_and_concat_table_run_every_child_on_the_same_input() -> None:
    parts = [Object("nn.Identity"), Object("nn.MulConstant", {"constant_scalar": 0})]
    table = Object("nn.ConcatTable", {"modules": copy.deepcopy(parts)})
    assert answer(table, [[1.0, 2.0]]) == [[[1.0, 2.0]], [[0.0, 0.0]]]
    joined = Object("nn.Concat", {"modules": parts, "dimension": 2})
    assert answer(joined, [[1.0, 2.0]]) == [[1.0, 2.0, 0.0, 0.0]]


def test_multiplication_in_place_changes_its_input() -> None:
    parts = [Object("nn.Identity"), Object("nn.MulConstant", {"constant_scalar": 3})]
    parts[1].fields["inplace"] = True
    assert answer(Object("nn.Concat", {"modules": parts, "dimension": 2}), [[1.0]]) == [[3.0, 3.0]]


def test_relu_in_place_changes_its_input() -> None:
    parts = [Object("nn.Identity"), Object("cudnn.ReLU", {"inplace": True})]
    assert answer(Object("nn.ConcatTable", {"modules": parts}), [[-1.0]]) == [[[0.0]], [[0.0]]]


def test_addition_in_place_changes_its_first_input() -> None:
    values = [torch.ones(1), torch.ones(1)]
    run(module(Object("nn.CAddTable", {"inplace": True})), values)
    assert [value.item() for value in values] == [2.0, 1.0]


def test_view_and_linear_flatten_and_multiply() -> None:
    view = Object("nn.View", {"size": Storage("Long", [2]), "numElements": 2})
    assert answer(view, [[[[1.0]], [[2.0]]]]) == [[1.0, 2.0]]
    linear = Object("nn.Linear", {"weight": tensor([[10.0, 1.0]]), "bias": tensor([0.5])})
    assert answer(linear, [[1.0, 2.0]]) == [[12.5]]


def test_weights_are_not_changed_by_a_run() -> None:
    data = dumps(net())
    tree = find_network(t7.loads(data).root)
    first = run(tree, torch.ones(1, 3, 32, 32))
    assert torch.equal(run(tree, torch.ones(1, 3, 32, 32)), first)


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        (lambda m: setattr(m, "type", "nn.SpatialDropout"), (2,)),
        (lambda m: m.fields.pop("weight"), (1,)),
        (lambda m: m.fields.pop("kW"), (1,)),
        (lambda m: m.fields.update(kW="3"), (1,)),
        (lambda m: m.fields.pop("running_var"), (2,)),
        (lambda m: m.fields.update(size=None), (8,)),
        (lambda m: m.fields.update(weight=tensor(np.ones((5, 3)))), (9,)),
        (lambda m: m.fields.update(padW=9), (7,)),
    ],
    ids=[
        "unknown class",
        "no weight",
        "no window",
        "window of text",
        "no statistics",
        "no sizes",
        "sizes that do not fit",
        "padding beyond the window",
    ],
)
def test_module_that_cannot_be_run_is_refused_by_place(
    change: Callable[[Object], Any], numbers: tuple[int, ...]
) -> None:
    model = net()
    change(at(model, *numbers))
    with pytest.raises(StructureError) as caught:
        run(module(model), torch.zeros(1, 3, 32, 32))
    assert str(caught.value).startswith(place(*numbers))


def alone(kind: str, **fields: object) -> Module:
    """Return one module of a tree, without weights."""
    return Module("model", kind, 0, fields, ())


WINDOW = {"kW": 2.0, "kH": 2.0, "dW": 2.0, "dH": 2.0}


@pytest.mark.parametrize(
    ("module", "answer"),
    [
        (alone("nn.ReLU", threshold=1.5, val=-7.0), [[-7.0, 2.0], [3.0, 4.0]]),
        (alone("nn.SpatialAveragePooling", **WINDOW), [[10.0]]),
        (alone("nn.SpatialAveragePooling", **WINDOW, divide=True), [[2.5]]),
        (alone("cudnn.SpatialAveragePooling", **WINDOW), [[2.5]]),
        (alone("nn.SpatialAveragePooling", **WINDOW, divide=False), [[10.0]]),
        (
            alone("cudnn.SpatialAveragePooling", **WINDOW, padW=1.0, padH=1.0),
            [[0.25, 0.5], [0.75, 1.0]],
        ),
        (
            alone(
                "cudnn.SpatialAveragePooling",
                **WINDOW,
                padW=1.0,
                padH=1.0,
                mode=b"CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING",
            ),
            [[1.0, 2.0], [3.0, 4.0]],
        ),
    ],
    ids=[
        "threshold",
        "nn",
        "nn divides",
        "cudnn",
        "sum",
        "padding counts",
        "padding does not count",
    ],
)
def test_setting_outside_the_family_is_obeyed_all_the_same(module: Module, answer: list[object]):
    picture = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64)
    found = run(module, picture)
    assert isinstance(found, torch.Tensor)
    assert found[0, 0].tolist() == answer


def test_unknown_mode_has_no_arithmetic():
    module = alone("cudnn.ReLU", mode=b"CUDNN_ACTIVATION_TANH")
    with pytest.raises(StructureError, match="no arithmetic known for mode CUDNN_ACTIVATION_TANH"):
        run(module, torch.zeros(1, 1, 1, 1))
