"""State dicts that are not of the family, or not whole, are refused by the name that tells."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import convert
from convert.pytorch.mapping import map_arrays
from convert.source.errors import (
    ForeignModuleError,
    NoNetworkError,
    RefusedError,
    StructureError,
    WeightError,
)
from resnext.spec import Block, Spec
from tests.support.golden import DATA
from tests.support.torch_nets import TorchvisionNet, nested_net, randomised

State = dict[str, Tensor]


def state_of(**options: object) -> State:
    return dict(randomised(TorchvisionNet(**options)).state_dict())  # type: ignore[arg-type]


def refused(tmp_path: Path, state: object, error: type[RefusedError], text: str) -> None:
    path = tmp_path / "x.pth"
    torch.save(state, path)
    with pytest.raises(error) as caught:
        convert.load(path)
    assert str(caught.value).startswith(f"{path}: {text}"), caught.value


def added(name: str, *shape: int) -> Callable[[State], State]:
    return lambda state: {**state, name: torch.ones(shape)}


def without(name: str) -> Callable[[State], State]:
    return lambda state: {key: value for key, value in state.items() if key != name}


FOREIGN = {
    "se": (added("layer1.0.se.fc1.weight", 2, 8, 1, 1), "layer1.0.se: channels that are weighed"),
    "se_module": (
        added("layer2.0.se_module.fc1.weight", 2, 8, 1, 1),
        "layer2.0.se_module: channels that are weighed",
    ),
    "deep stem": (
        added("conv1.0.weight", 8, 3, 3, 3),
        "conv1.0: a stem of several convolutions",
    ),
    "anti-aliasing": (added("layer2.0.aa.filt", 8, 1, 3, 3), "layer2.0.aa: anti-aliasing"),
    "antialiased-cnns": (
        added("layer2.0.conv2.1.filt", 8, 1, 3, 3),
        "layer2.0.conv2.1.filt: anti-aliasing",
    ),
    "ResNet-D": (
        added("layer2.0.downsample.1.weight", 32, 32, 1, 1),
        "layer2.0.downsample.1: an average pool in front of a projection",
    ),
    "Res2Net": (added("layer1.0.convs.0.weight", 2, 2, 3, 3), "layer1.0.convs: Res2Net"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_module_of_another_family_is_named(tmp_path: Path, name: str) -> None:
    change, text = FOREIGN[name]
    refused(tmp_path, change(state_of()), ForeignModuleError, text)


BROKEN = {
    "extra": (added("layer1.0.bn4.weight", 8), WeightError, "layer1.0.bn4.weight: unexpected"),
    "bias": (added("conv1.bias", 8), WeightError, "conv1.bias: unexpected"),
    "missing": (without("layer2.0.bn2.bias"), WeightError, "layer2.0.bn2.bias is missing"),
    "no head": (without("fc.weight"), WeightError, "fc.weight is missing"),
    "shape": (added("bn1.bias", 9), WeightError, "bn1.bias: (8,) expected, found (9,)"),
    "kernel": (
        added("conv1.weight", 8, 3, 5, 5),
        StructureError,
        "conv1.weight: a kernel of 7 or 3 expected, found 5",
    ),
    "small kernel": (
        added("conv1.weight", 8, 3, 3, 3),
        StructureError,
        "conv1.weight: a kernel of 7 expected in front of 4 stages, found one of 3",
    ),
    "groups": (
        added("layer1.0.conv2.weight", 6, 4, 3, 3),
        StructureError,
        "layer1.0.conv2.weight: groups of equal width expected, found 4 inputs each of 6",
    ),
    "stages": (
        lambda state: {k: v for k, v in state.items() if k[:6] not in ("layer3", "layer4")},
        StructureError,
        (
            "three or four stages and whole numbers >= 1 expected, found blocks [1, 2]; "
            "layer3.0.conv1.weight is missing"
        ),
    ),
    "no layout": (
        lambda _: {"blocks.0.conv.weight": torch.ones(1, 1, 1, 1)},
        StructureError,
        "the names of torchvision's, timm's, Cadene's, clcarwin's or prlz77's",
    ),
    "NaN": (
        lambda state: {**state, "fc.bias": torch.full((7,), torch.nan)},
        WeightError,
        "fc.bias: holds NaN or infinity",
    ),
    "variance": (
        lambda state: {**state, "bn1.running_var": -torch.ones(8)},
        WeightError,
        "bn1.running_var: a variance below zero",
    ),
    "integers": (
        lambda state: {**state, "fc.bias": torch.zeros(7, dtype=torch.int32)},
        WeightError,
        "fc.bias: floats expected, found int32",
    ),
    "counter": (
        lambda state: {**state, "bn1.num_batches_tracked": torch.zeros(2)},
        WeightError,
        "bn1.num_batches_tracked: one whole number expected",
    ),
    "no tensor": (
        lambda state: {**state, "fc.bias": [0.0] * 7},
        WeightError,
        "fc.bias: a tensor expected, found a list",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_state_dict_that_is_not_whole_is_refused_by_name(tmp_path: Path, name: str) -> None:
    change, error, text = BROKEN[name]
    refused(tmp_path, change(state_of()), error, text)


def test_stem_that_does_not_fit_the_first_stages_number_is_refused(tmp_path: Path) -> None:
    state = dict(randomised(nested_net()).state_dict())
    state["0.weight"] = torch.ones(8, 3, 3, 3)
    refused(tmp_path, state, StructureError, "a stem with no max-pool expected in front of the")


SPECS = {
    "resnet18": Spec(blocks=(2, 2, 2, 2), block=Block.BASIC),
    "resnet34": Spec(blocks=(3, 4, 6, 3), block=Block.BASIC),
    "resnet50": Spec(blocks=(3, 4, 6, 3)),
    "resnet101": Spec(blocks=(3, 4, 23, 3)),
    "resnet152": Spec(blocks=(3, 8, 36, 3)),
    "resnext50_32x4d": Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4),
    "resnext101_32x4d": Spec(blocks=(3, 4, 23, 3), cardinality=32, base_width=4),
    "resnext101_64x4d": Spec(blocks=(3, 4, 23, 3), cardinality=64, base_width=4),
}


@pytest.mark.parametrize("name", SPECS)
def test_names_and_shapes_of_the_peers_networks_tell_the_spec(name: str) -> None:
    shapes = json.loads((DATA / "torchvision_names.json").read_text())[name]
    arrays = {
        tensor: np.broadcast_to(np.float32(1) if shape else np.int64(1), shape)
        for tensor, shape in shapes.items()
    }
    found = map_arrays(arrays)
    assert found.spec == SPECS[name]
    assert set(found.tensors) == set(shapes)


SEVERAL = "one network expected, found 2: state_dict, state_dict_ema; resnext-convert --at PLACE"


def test_several_networks_are_named_and_one_is_taken(tmp_path: Path) -> None:
    one, other = state_of(), state_of(planes=4)
    both = {"state_dict": one, "state_dict_ema": other, "epoch": 3}
    refused(tmp_path, both, NoNetworkError, SEVERAL)
    assert convert.load(tmp_path / "x.pth", at="state_dict_ema").spec.planes == 4
    assert convert.load(tmp_path / "x.pth", at="state_dict").spec.planes == 8
    with pytest.raises(NoNetworkError, match="found 0; the places are state_dict, state_dict_ema"):
        convert.load(tmp_path / "x.pth", at="model")


def test_networks_of_equal_values_count_as_one(tmp_path: Path) -> None:
    state = state_of()
    copy = {f"module.{name}": value.clone() for name, value in state.items()}
    torch.save({"state_dict": state, "state_dict_ema": copy}, tmp_path / "x.pth")
    assert convert.load(tmp_path / "x.pth").spec.planes == 8


def test_place_in_a_file_that_is_the_network_is_refused(tmp_path: Path) -> None:
    torch.save(state_of(), tmp_path / "x.pth")
    with pytest.raises(NoNetworkError, match="at model expected, found that the whole file is one"):
        convert.load(tmp_path / "x.pth", at="model")
