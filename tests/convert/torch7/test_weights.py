"""Tensors of matched modules: every fault is refused by place, and every conversion is exact."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.source.errors import StructureError, WeightError
from convert.torch7 import file as t7
from convert.torch7.mapping import Network, read_network
from convert.torch7.tree import find_network
from tests.support.lua_nets import at, net, place
from tests.support.t7_writer import Object, Pairs, Storage, Tensor, dumps, tensor

CONV, NORM, PROJECTION = (5, 1, 1, 1, 4), (5, 1, 1, 1, 5), (5, 1, 1, 2, 1)
LINEAR = (9,)
BIASED = {"nn": True, "block": "resnet", "conv_bias": True}


def convert(model: Object) -> Network:
    return read_network(find_network(t7.loads(dumps(model)).root))


def refusal(model: Object) -> str:
    with pytest.raises(WeightError) as caught:
        convert(model)
    return str(caught.value)


TENSORS = [
    ({}, CONV, "weight"),
    ({}, NORM, "weight"),
    ({}, NORM, "bias"),
    ({}, NORM, "running_mean"),
    ({}, NORM, "running_var"),
    ({"running_std": True}, NORM, "running_std"),
    ({}, LINEAR, "weight"),
    ({}, LINEAR, "bias"),
    (BIASED, CONV, "bias"),
    ({"block": "resnext_B"}, (5, 1, 1, 1, 1, 2, 4), "weight"),
    ({"block": "resnext_B"}, (5, 1, 1, 1, 1, 2, 5), "running_mean"),
    ({"weights_2d": True, "block": "resnet"}, CONV, "weight"),
    ({"bn_after_add": True}, (5, 1, 3), "running_var"),
    ({"pre": True}, (5,), "running_var"),
]
EVERY_TENSOR = pytest.mark.parametrize(
    ("options", "numbers", "name"),
    TENSORS,
    ids=[f"{'-'.join(row[0])} {row[1]} {row[2]}" for row in TENSORS],
)
# The classifier's weight also states the classes: without it, there is no classifier.
NEEDED = [row for row in TENSORS if row[0] is not BIASED and row[1:] != (LINEAR, "weight")]


@EVERY_TENSOR
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str, value: float
) -> None:
    model = net(**options)
    at(model, *numbers).fields[name].storage.values[-1] = value
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} holds NaN or infinity; the training diverged or the file is damaged" in message


@pytest.mark.parametrize(
    ("options", "numbers", "name"), NEEDED, ids=[f"{row[1]} {row[2]}" for row in NEEDED]
)
@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_tensor_that_is_missing_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str, empty: bool
) -> None:
    model = net(**options)
    fields = at(model, *numbers).fields
    fields[name] = Tensor("Float", None, (), ()) if empty else None
    if name == "running_var":
        name = "running_std"  # what older files have in its place
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} is missing" in message


@EVERY_TENSOR
def test_tensor_of_another_shape_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str
) -> None:
    model = net(**options)
    fields = at(model, *numbers).fields
    fields[name] = tensor(fields[name].storage.values[:-1])
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} is (" in message


def test_transposed_weight_is_refused() -> None:
    model = net()
    weight = at(model, *PROJECTION).fields["weight"]
    weight.shape, weight.stride = (16, 32, 1, 1), (32, 1, 1, 1)
    assert "weight is (16, 32, 1, 1), (32, 16, 1, 1) expected" in refusal(model)


def test_weight_with_an_axis_too_many_is_refused() -> None:
    model = net()
    weight = at(model, *LINEAR).fields["weight"]
    weight.shape, weight.stride = (5, 64, 1), (64, 1, 1)
    assert "weight is (5, 64, 1), (5, 64) expected" in refusal(model)


@EVERY_TENSOR
@pytest.mark.parametrize("kind", ["Int", "Long", "Byte", "CudaLong"])
def test_tensor_of_integers_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str, kind: str
) -> None:
    model = net(**options)
    weight = at(model, *numbers).fields[name]
    weight.kind = kind
    weight.storage = Storage(kind, [1] * len(weight.storage.values))
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} is a torch.{kind}Tensor, floats expected" in message


@pytest.mark.parametrize(
    ("options", "numbers", "name"),
    [row for row in TENSORS if row[1:] != (LINEAR, "weight")],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize("value", [1.0, "text", [1.0]], ids=["number", "string", "table"])
def test_weight_that_is_no_tensor_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str, value: Any
) -> None:
    model = net(**options)
    at(model, *numbers).fields[name] = value
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} must be a tensor" in message


@pytest.mark.parametrize("value", [None, 1.0, Tensor("Float", None, (), ())])
def test_classifier_without_weight_is_refused(value: Any) -> None:
    model = net()
    at(model, *LINEAR).fields["weight"] = value
    with pytest.raises(StructureError, match=r"^model\.modules\[9\] .*a classifier"):
        convert(model)


@EVERY_TENSOR
def test_expanded_tensor_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...], name: str
) -> None:
    model = net(**options)
    weight = at(model, *numbers).fields[name]
    weight.stride = tuple(0 for _ in weight.shape)
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"{name} repeats elements of its storage" in message


def test_weights_that_are_one_tensor_are_refused() -> None:
    model = net(counts=(1, 3, 1))
    first, second = at(model, 5, 2, 1, 1, 4).fields, at(model, 5, 3, 1, 1, 4).fields
    second["weight"] = first["weight"]
    message = refusal(model)
    assert message.startswith(place(5, 3, 1, 1, 4))
    assert "shares memory with model.modules[5].modules[2]" in message


def test_weights_that_overlap_in_one_storage_are_refused() -> None:
    model = net()
    fields = at(model, *NORM).fields
    storage = Storage("Float", np.ones(23, np.float32))
    width = fields["weight"].shape[0]
    fields["weight"] = Tensor("Float", storage, (width,), (1,), offset=1)
    fields["bias"] = Tensor("Float", storage, (width,), (1,), offset=width)
    assert "shares memory with" in refusal(model)


def test_weights_beside_each_other_in_one_storage_are_read() -> None:
    model = net()
    fields = at(model, *NORM).fields
    width = fields["weight"].shape[0]
    storage = Storage("Float", np.arange(2 * width, dtype=np.float32))
    fields["weight"] = Tensor("Float", storage, (width,), (1,), offset=1)
    fields["bias"] = Tensor("Float", storage, (width,), (1,), offset=width + 1)
    tensors = convert(model).tensors
    assert tensors["layer2.0.bn2.bias"].tolist() == list(range(width, 2 * width))


@pytest.mark.parametrize("value", [-1e-3, -1e30])
def test_variance_below_zero_is_refused(value: float) -> None:
    model = net()
    at(model, *NORM).fields["running_var"].storage.values[1] = value
    assert refusal(model).startswith(place(*NORM))


def test_variance_of_zero_is_read() -> None:
    model = net()
    at(model, *NORM).fields["running_var"].storage.values[1] = 0
    assert convert(model).tensors["layer2.0.bn2.running_var"][1] == 0


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (0.0, "not above zero"),
        (-1.0, "not above zero"),
        (1e-25, "infinite"),
        (1e9, "below zero"),
    ],
)
def test_impossible_running_std_is_refused(value: float, fault: str) -> None:
    model = net(running_std=True)
    at(model, *NORM).fields["running_std"].storage.values[1] = value
    message = refusal(model)
    assert message.startswith(place(*NORM))
    assert fault in message


def test_running_std_of_no_variance_is_zero_variance() -> None:
    model = net(running_std=True)
    values = at(model, *NORM).fields["running_std"].storage.values
    values[1] = np.float32(1e-5) ** -0.5
    variance = convert(model).tensors["layer2.0.bn2.running_var"]
    assert variance[1] == 0


def test_running_std_converts_to_the_variance_it_came_from() -> None:
    old, new = convert(net(running_std=True)), convert(net())
    for name, variance in new.tensors.items():
        np.testing.assert_allclose(old.tensors[name], variance, rtol=1e-6)


def test_running_std_beside_running_var_is_refused() -> None:
    model = net()
    fields = at(model, *NORM).fields
    fields["running_std"] = tensor(np.ones(fields["running_var"].shape))
    message = refusal(model)
    assert message.startswith(place(*NORM))
    assert "running_var and running_std" in message


def test_bias_of_a_convolution_is_folded_into_the_mean() -> None:
    plain, biased = net(block="resnet", nn=True), net(**BIASED)
    for numbers in (CONV, NORM, PROJECTION):
        fields = at(plain, *numbers).fields
        at(biased, *numbers).fields |= {
            name: fields[name] for name in fields if name not in ("bias", "output")
        }
    bias = at(biased, *CONV).fields["bias"].storage.values
    mean = at(biased, *NORM).fields["running_mean"].storage.values
    found = convert(biased).tensors["layer2.0.bn2.running_mean"]
    np.testing.assert_array_equal(found, (mean.astype(float) - bias).astype(np.float32))


def test_both_biases_of_a_sum_are_folded_into_the_mean_behind_it() -> None:
    model = net(bn_after_add=True, conv_bias=True)
    mean = at(model, 5, 1, 3).fields["running_mean"].storage.values.astype(float)
    for numbers in ((5, 1, 1, 1, 7), PROJECTION):
        mean = mean - at(model, *numbers).fields["bias"].storage.values
    found = convert(model).tensors["layer2.0.bn_add.running_mean"]
    np.testing.assert_allclose(found, mean, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({}, (3, 1, 3, 1, 7)),
        ({}, (3, 1, 3, 2, 1)),
        ({}, (1,)),
        ({"counts": (1, 2, 1)}, (3, 2, 1, 1, 9)),
    ],
    ids=["last convolution", "projection", "stem", "last convolution of a plain block"],
)
def test_bias_with_no_batch_norm_behind_is_refused(
    options: dict[str, Any], numbers: tuple[int, ...]
) -> None:
    model = net(pre=True, **options)
    convolution = at(model, *numbers)
    convolution.fields["bias"] = tensor(np.full(convolution.fields["nOutputPlane"], 0.1))
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert "no batch norm behind to fold it into" in message


def test_bias_of_zero_with_no_batch_norm_behind_changes_nothing() -> None:
    model = net(pre=True)
    convolution = at(model, 3, 1, 3, 1, 7)
    convolution.fields["bias"] = tensor(np.zeros(convolution.fields["nOutputPlane"]))
    assert convert(model).conversions == ()


def test_bias_that_overflows_the_mean_is_refused() -> None:
    model = net(**BIASED)
    at(model, *CONV).fields["bias"].storage.values[0] = 3e38
    at(model, *NORM).fields["running_mean"].storage.values[0] = -3e38
    message = refusal(model)
    assert message.startswith(place(*CONV))
    assert "too large" in message


@pytest.mark.parametrize("options", [{"conv_bias": True}, {"running_std": True}])
def test_converted_values_of_half_precision_are_kept_in_single(options: dict[str, bool]) -> None:
    tensors = convert(net(kind="CudaHalf", **options)).tensors
    name = "bn1.running_mean" if "conv_bias" in options else "bn1.running_var"
    assert tensors[name].dtype == np.float32
    assert tensors["conv1.weight"].dtype == np.float16


def test_bias_of_one_branch_alone_is_refused() -> None:
    model = net(block="resnext_B")
    at(model, 5, 1, 1, 1, 1, 2, 1).fields["bias"] = tensor(np.ones(6))
    assert "bias is missing" in refusal(model)


@pytest.mark.parametrize(
    ("numbers", "name", "value"),
    [
        (CONV, "mask", tensor(np.ones(3))),
        (CONV, "running_mean", tensor(np.ones(3))),
        ((5, 1, 1, 1, 6), "weight", tensor(np.ones(3))),
        ((7,), "bias", tensor(np.ones(3))),
        ((), "weight", tensor(np.ones(3))),
        (NORM, "scale", Storage("Float", [1])),
        (NORM, "extra", [tensor(np.ones(3))]),
        (NORM, "extra", [[]]),
        (LINEAR, "inner", Object("nn.Linear")),
    ],
    ids=[
        "unknown",
        "another kind's",
        "of a ReLU",
        "of a pool",
        "of a container",
        "storage",
        "in a table",
        "table in a table",
        "module",
    ],
)
def test_tensor_that_nothing_uses_is_refused(
    numbers: tuple[int, ...], name: str, value: Any
) -> None:
    model = net()
    at(model, *numbers).fields[name] = value
    message = refusal(model)
    assert message.startswith(place(*numbers))
    assert f"field {name} holds a tensor that no layer of the family has" in message


def test_all_faults_are_counted_and_the_first_is_named() -> None:
    model = net()
    for name in ("weight", "bias", "running_mean"):
        at(model, *NORM).fields[name] = None
    message = refusal(model)
    assert "weight is missing" in message
    assert message.endswith("(and 2 more)")


def test_two_dimensional_weights_are_reshaped() -> None:
    flat, whole = net(weights_2d=True, block="resnet"), net(block="resnet")
    found, expected = convert(flat).tensors, convert(whole).tensors
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


HUGE = 2**40


def endless_classes(model: Object) -> None:
    model.fields["modules"][-1].fields["weight"] = Tensor(
        "Float", Storage("Float", [1.0]), (HUGE, 64), (0, 0)
    )


def endless_stem(model: Object) -> None:
    fields = model.fields["modules"][0].fields
    fields["nOutputPlane"] = HUGE
    fields["weight"] = Tensor("Float", Storage("Float", [1.0]), (HUGE, 3, 3, 3), (0, 0, 0, 0))


@pytest.mark.parametrize("change", [endless_classes, endless_stem])
def test_expanded_tensor_larger_than_memory_is_refused_within_little(
    change: Callable[[Object], None], tmp_path: Path
) -> None:
    model = net()
    change(model)
    path = tmp_path / "x.t7"
    path.write_bytes(dumps(model))
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "from convert.source.errors import RefusedError\n"
        "from convert.torch7 import file as t7\n"
        "from convert.torch7.mapping import read_network\n"
        "from convert.torch7.tree import find_network\n"
        "try:\n"
        "    read_network(find_network(t7.load(t7.Path(sys.argv[1])).root))\n"
        "except RefusedError as error:\n"
        "    print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout in ("WeightError\n", "StructureError\n")


def test_table_of_weights_does_not_hide_a_tensor() -> None:
    model = net()
    at(model, *CONV).fields["shadow"] = Pairs([(True, tensor(np.ones(2)))])
    assert "field shadow holds a tensor" in refusal(model)
