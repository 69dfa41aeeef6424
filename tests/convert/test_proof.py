"""The proof: two independent ways to the same logits, and a change in any tensor is seen."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from convert.errors import ProofError, UnprovableError
from convert.proof import Run, prove
from convert.torch7 import file as t7
from convert.torch7.mapping import read_network
from convert.torch7.oracle import run
from convert.torch7.tree import find_network
from resnext.checkpoint import Checkpoint, Provenance
from tests.support.lua_nets import at, net, numbers_of
from tests.support.t7_writer import Object, Tensor, dumps, tensor

if TYPE_CHECKING:
    import torch


def converted(root: Any) -> tuple[Run, Checkpoint]:
    tree = find_network(root)
    network = read_network(tree)
    source = Provenance(
        source_file="x.t7",
        source_sha256="0",
        source_bytes=0,
        converted_by="a test",
        conversions=network.conversions,
    )
    checkpoint = Checkpoint(
        spec=network.spec,
        tensors=network.tensors,
        preprocessing=None,
        origin=None,
        provenance=source,
    )
    return lambda inputs: cast("torch.Tensor", run(tree, inputs)), checkpoint


def written(model: Object) -> tuple[Run, Checkpoint]:
    return converted(t7.loads(dumps(model)).root)


UNCHANGED = (
    "cifar_c",
    "cifar_b",
    "cifar_resnet",
    "cifar_basic_a",
    "cifar_c_shortcut_c",
    "imagenet_basic18",
    "imagenet_c50",
    "imagenet_bn_after_add50",
    "preact_cifar20",
    "double",
    "cuda",
    "cuda_half",
    "weights_2d",
)


@pytest.mark.parametrize("name", UNCHANGED)
def test_golden_network_with_nothing_converted_is_equal(
    golden: Callable[[str], Any], name: str
) -> None:
    proof = prove(*converted(t7.load(golden(name).path).root))
    assert proof.difference < 1e-12


@pytest.mark.parametrize("name", ["conv_bias", "running_std"])
def test_golden_network_with_values_converted_differs_by_their_rounding(
    golden: Callable[[str], Any], name: str
) -> None:
    proof = prove(*converted(t7.load(golden(name).path).root))
    assert 0 < proof.difference < 1e-6


IMAGENET = {"stem_kind": "imagenet", "counts": (1, 2, 1, 1)}
PRE = {"pre": True}
FAMILY: dict[str, dict[str, Any]] = {
    "form C": {},
    "form B, four branches": {"block": "resnext_B", "cardinality": 4},
    "form B, one branch": {"block": "resnext_B", "cardinality": 1},
    "bottleneck": {"block": "resnet", "counts": (2, 1, 2)},
    "basic": {"block": "basic", "counts": (2, 2, 1)},
    "shortcut A": {"block": "basic", "shortcut": "A", "counts": (2, 2, 1)},
    "shortcut A that widens at once": {"block": "basic", "shortcut": "A", "stem": 2},
    "shortcut C": {"shortcut": "C", "counts": (2, 1, 1)},
    "shortcut C, basic": {"block": "basic", "shortcut": "C"},
    "after addition": {"bn_after_add": True, "counts": (2, 1, 1)},
    "ImageNet": IMAGENET,
    "ImageNet, basic": {**IMAGENET, "block": "basic"},
    "ImageNet, after addition": {**IMAGENET, "bn_after_add": True},
    "ImageNet, form B": {**IMAGENET, "block": "resnext_B"},
    "pre-activation": {**PRE, "counts": (2, 2, 1)},
    "pre-activation, basic": {**PRE, "block": "basic", "counts": (2, 2, 1)},
    "pre-activation, shortcut A": {**PRE, "block": "basic", "shortcut": "A"},
    "pre-activation, shortcut C": {**PRE, "shortcut": "C", "counts": (2, 1, 1)},
    "pre-activation, ImageNet": {**PRE, **IMAGENET},
    "pre-activation, ImageNet, basic": {**PRE, **IMAGENET, "block": "basic"},
    "pre-activation, ImageNet, form B": {**PRE, **IMAGENET, "block": "resnext_B"},
    "pre-activation in the branch": {**PRE, **IMAGENET, "pre_branch": True},
    "pre-activation in the branch, CIFAR": {**PRE, "pre_branch": True, "block": "basic"},
    "bare projections, after addition": {"bn_after_add": True, "bare_projection": True},
    "bare projections, pre-activation": {**PRE, **IMAGENET, "bare_projection": True},
    "classes of nn": {"nn": True, "block": "resnet"},
    "2-D weights": {"weights_2d": True, "block": "resnet"},
    "double": {"kind": "Double"},
    "half": {"kind": "CudaHalf"},
}


@pytest.mark.parametrize("name", FAMILY)
def test_any_network_of_the_family_is_equal(name: str) -> None:
    assert prove(*written(net(**FAMILY[name]))).difference < 1e-12


CONVERTED: dict[str, dict[str, Any]] = {
    "bias": {"conv_bias": True},
    "bias, form B": {"conv_bias": True, "block": "resnext_B"},
    "bias, after addition": {"conv_bias": True, "bn_after_add": True},
    "bias, pre-activation": {"conv_bias": True, **PRE, **IMAGENET},
    "bias, ImageNet": {"conv_bias": True, **IMAGENET},
    "running_std": {"running_std": True},
    "running_std and bias": {"running_std": True, "conv_bias": True, "block": "resnext_B"},
    "no batch norm behind projections": {"projection_norm": False},
    "bare projections": {"projection_norm": False, "bare_projection": True, "conv_bias": True},
    "bare projections, ImageNet, basic": {
        **IMAGENET,
        "block": "basic",
        "projection_norm": False,
        "bare_projection": True,
    },
}


@pytest.mark.parametrize("name", CONVERTED)
def test_any_network_of_the_family_with_values_converted_differs_by_their_rounding(
    name: str,
) -> None:
    assert prove(*written(net(**CONVERTED[name]))).difference < 1e-6


TAMPERED = (
    "conv1.weight",
    "bn1.weight",
    "bn1.bias",
    "bn1.running_mean",
    "bn1.running_var",
    "layer1.0.conv1.weight",
    "layer1.0.bn2.bias",
    "layer2.0.conv2.weight",
    "layer2.0.bn3.running_var",
    "layer2.0.downsample.0.weight",
    "layer2.0.downsample.1.running_mean",
    "layer3.0.conv3.weight",
    "fc.weight",
    "fc.bias",
)


def tampered(checkpoint: Checkpoint, **tensors: np.ndarray) -> Checkpoint:
    return replace(checkpoint, tensors={**checkpoint.tensors, **tensors})


@pytest.mark.parametrize("name", TAMPERED)
def test_change_of_one_tensor_is_refused(name: str) -> None:
    original, checkpoint = written(net())
    other = tampered(checkpoint, **{name: checkpoint.tensors[name] * np.float32(1.01)})
    with pytest.raises(ProofError) as caught:
        prove(original, other)
    assert caught.value.difference > 1e-5


@pytest.mark.parametrize(
    ("options", "change"),
    [({"conv_bias": True}, 3e-5), ({"kind": "Double"}, 1e-11)],
    ids=["converted", "exact"],
)
def test_change_just_above_the_tolerance_is_refused(options: dict[str, Any], change: float) -> None:
    original, checkpoint = written(net(**options))
    classifier = {name: checkpoint.tensors[name] for name in ("fc.weight", "fc.bias")}
    factor = next(iter(classifier.values())).dtype.type(1 + change)
    other = tampered(checkpoint, **{name: factor * array for name, array in classifier.items()})
    with pytest.raises(ProofError) as caught:
        prove(original, other)
    assert caught.value.difference == pytest.approx(change, rel=0.1)


def test_two_batch_norms_in_each_others_place_are_refused() -> None:
    original, checkpoint = written(net())
    first, second = (f"layer2.0.bn{n}.weight" for n in (1, 2))
    tensors = checkpoint.tensors
    other = tampered(checkpoint, **{first: tensors[second], second: tensors[first]})
    with pytest.raises(ProofError):
        prove(original, other)


def test_answer_that_is_no_number_is_refused() -> None:
    original, checkpoint = written(net())
    bias = checkpoint.tensors["fc.bias"].copy()
    bias[0] = np.nan
    with pytest.raises(ProofError):
        prove(original, tampered(checkpoint, **{"fc.bias": bias}))


@pytest.mark.parametrize(
    "zero",
    [slice(1, 2), slice(-1, None), slice(None)],
    ids=["stem", "classifier", "all"],
)
def test_logits_that_no_picture_changes_are_no_proof(zero: slice) -> None:
    model = net()
    for place in numbers_of(model)[zero]:
        fields = at(model, *place).fields
        for name in ("weight", "bias"):
            if isinstance(old := fields.get(name), Tensor):
                fields[name] = tensor(np.zeros(old.shape))
    with pytest.raises(UnprovableError, match="the same for every picture, so nothing can be"):
        prove(*written(model))


def test_message_tells_the_difference_and_that_nothing_was_written() -> None:
    original, checkpoint = written(net())
    other = tampered(checkpoint, **{"fc.bias": checkpoint.tensors["fc.bias"] + np.float32(1)})
    with pytest.raises(ProofError, match=r"differ .* of the largest logit, .*nothing was written"):
        prove(original, other)


def test_proof_counts_its_pictures() -> None:
    assert prove(*written(net()), pictures=3).pictures == 3


def test_proof_is_the_same_twice() -> None:
    model = written(net(conv_bias=True))
    assert prove(*model).difference == prove(*model).difference


def test_form_b_and_form_c_of_the_same_weights_are_the_same_checkpoint() -> None:
    """What form B becomes is a form C network: its own proof is form C's."""
    _, from_b = written(net(block="resnext_B", cardinality=4))
    _, from_c = written(net(block="resnext_C", cardinality=4))
    assert from_b.spec == from_c.spec
    assert {n: a.shape for n, a in from_b.tensors.items()} == {
        n: a.shape for n, a in from_c.tensors.items()
    }
