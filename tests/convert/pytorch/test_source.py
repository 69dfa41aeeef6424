"""Files of PyTorch become networks that answer what the modules that wrote them answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor, nn

import convert
from convert.cli import main
from convert.export.pth import write_pth
from convert.loading import open_source
from convert.proof import prove
from resnext.checkpoint import Origin
from resnext.preprocessing import CIFAR10, IMAGENET
from resnext.spec import Block, Spec, Stem
from tests.support.golden import DATA, unpack
from tests.support.torch_nets import TorchvisionNet, as_cadenes, nested_net, randomised

PEERS = DATA / "peers" / "pytorch"
SPEC = Spec(blocks=(1, 2, 1, 1), cardinality=2, base_width=3, planes=8, stem_width=8, classes=7)
SMALL = replace(SPEC, blocks=(1, 2, 1), stem=Stem.CIFAR)


def saved(path: Path, value: Any, *, old: bool = False) -> Path:
    """Write a value as torch.save does, now or before version 1.6."""
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    return path


def answers(path: Path, network: nn.Module, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of a file's checkpoint and those of a network, in float64."""
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        found = convert.load(path).build(dtype=torch.float64)(x)
        return found.numpy(), network.double()(x).numpy()


NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], Spec, int]] = {
    "torchvision": (TorchvisionNet, SPEC, 64),
    "torchvision, three stages": (lambda: TorchvisionNet((1, 2, 1)), SMALL, 32),
    "torchvision, basic": (
        lambda: TorchvisionNet(width=0, groups=1),
        replace(SPEC, block=Block.BASIC, cardinality=1, base_width=8),
        64,
    ),
    "torchvision, wide": (
        lambda: TorchvisionNet(groups=1, width=16),
        replace(SPEC, cardinality=1, base_width=16),
        64,
    ),
    "torchvision, last_linear": (lambda: TorchvisionNet(head="last_linear"), SPEC, 64),
    "clcarwin": (nested_net, SPEC, 64),
    "clcarwin, three stages": (lambda: nested_net((1, 2, 1)), SMALL, 32),
    "clcarwin, flat": (lambda: nested_net(flat=True), SPEC, 64),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
def test_state_dict_answers_as_its_modules_did(tmp_path: Path, name: str, old: bool) -> None:
    make, spec, size = NETWORKS[name]
    network = randomised(make())
    path = saved(tmp_path / "x.pth", network.state_dict(), old=old)
    checkpoint = convert.load(path)
    assert checkpoint.spec == spec
    assert int(checkpoint.tensors["bn1.num_batches_tracked"]) == 7
    found, expected = answers(path, network, size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    source = open_source(path)
    assert prove(source.run, checkpoint).difference < 1e-12
    container = "PyTorch, old format" if old else "PyTorch, zip"
    assert source.format.startswith(f"{container}, names of {name.partition(',')[0]}")


def test_network_of_prlz77_answers_as_it_did(tmp_path: Path) -> None:
    path = unpack(PEERS / "prlz77_11_4x8d.pytorch.xz", tmp_path)
    with np.load(PEERS / "prlz77_11_4x8d.io.npz") as golden:
        inputs, logits = golden["input"], golden["logits"]
    checkpoint = convert.load(path)
    assert checkpoint.spec == Spec(
        blocks=(1, 1, 1), stem=Stem.CIFAR, cardinality=4, base_width=8, classes=10
    )
    with torch.inference_mode():
        found = checkpoint.build()(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-4 * np.abs(logits).max())
    source = open_source(path)
    assert prove(source.run, checkpoint).difference < 1e-12
    assert source.format == "PyTorch, old format, names of prlz77"
    assert (checkpoint.preprocessing, checkpoint.origin) == (CIFAR10, Origin.ASSUMED)


def test_cadenes_names_are_those_of_the_original_release(tmp_path: Path) -> None:
    names = json.loads((PEERS / "cadene_names.json").read_text())
    for network, cardinality in (("resnext101_32x4d", 32), ("resnext101_64x4d", 64)):
        small = nested_net((3, 4, 23, 3), planes=2, groups=2, width=1, classes=3)
        assert list(as_cadenes(small.state_dict())) == list(names[network])
        state = {
            name: torch.zeros(shape, dtype=torch.int64 if not shape else torch.float32)
            for name, shape in names[network].items()
        }
        checkpoint = convert.load(saved(tmp_path / f"{network}.pth", state))
        assert checkpoint.spec == Spec(blocks=(3, 4, 23, 3), cardinality=cardinality, base_width=4)
        assert checkpoint.preprocessing == IMAGENET


def test_cadenes_file_is_the_same_network_as_clcarwins(tmp_path: Path) -> None:
    state = randomised(nested_net()).state_dict()
    one = convert.load(saved(tmp_path / "a.pth", state))
    other = convert.load(saved(tmp_path / "b.pth", as_cadenes(state)))
    assert one.digest() == other.digest()
    numbered = {name.replace("10.1.", "10."): tensor for name, tensor in state.items()}
    assert convert.load(saved(tmp_path / "c.pth", numbered)).digest() == one.digest()


WRAPPERS: Mapping[str, Callable[[dict[str, Tensor]], Any]] = {
    "state_dict": lambda state: {"state_dict": state},
    "model": lambda state: {"model": state, "epoch": 3},
    "net": lambda state: {"acc": 1.5, "net": state},
    "params": lambda state: {"params": state},
    "model.state_dict": lambda state: {"model": {"state_dict": state}},
    "state_dict_ema": lambda state: {"state_dict_ema": state},
    "model_ema": lambda state: {
        "model_ema": {"n_averaged": torch.tensor(3), **prefixed(state, "module.")}
    },
}


def prefixed(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize("place", WRAPPERS)
def test_state_dict_is_found_in_its_wrapper(tmp_path: Path, place: str) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    path = saved(tmp_path / "x.pth", WRAPPERS[place](state))
    assert open_source(path).place == place
    plain = convert.load(saved(tmp_path / "plain.pth", state))
    assert convert.load(path).digest() == plain.digest()
    assert convert.load(path, at=place).digest() == plain.digest()


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "net."]
)
def test_prefix_of_a_wrapper_is_taken_from_all_names(tmp_path: Path, prefix: str) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    path = saved(tmp_path / "x.pth", {"state_dict": prefixed(state, prefix)})
    plain = convert.load(saved(tmp_path / "plain.pth", state))
    assert convert.load(path).digest() == plain.digest()


def test_checkpoint_of_pytorchs_example_says_what_lies_beside(tmp_path: Path) -> None:
    network = randomised(TorchvisionNet())
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = {
        "epoch": 90,
        "arch": "resnext50_32x4d",
        "state_dict": prefixed(network.state_dict(), "module."),
        "best_acc1": torch.tensor(77.5),
        "optimizer": optimizer.state_dict(),
    }
    path = saved(tmp_path / "checkpoint.pth.tar", state)
    source = open_source(path)
    lines = [line for part in source.beside() for line in part.lines()]
    assert "epoch: 90" in lines
    assert 'arch: "resnext50_32x4d"' in lines
    assert "best_acc1: float32 ()" in lines
    assert [part.name for part in source.beside()] == ["epoch", "arch", "best_acc1", "optimizer"]
    found, expected = answers(path, network, 64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_file_of_before_version_0_4_1_has_no_counters(tmp_path: Path) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    old = {name: each for name, each in state.items() if not name.endswith("_tracked")}
    checkpoint = convert.load(saved(tmp_path / "x.pth", old, old=True))
    assert int(checkpoint.tensors["bn1.num_batches_tracked"]) == 0
    np.testing.assert_array_equal(checkpoint.tensors["fc.bias"], state["fc.bias"].numpy())


def test_safetensors_of_others_is_read_and_is_not_ours(tmp_path: Path) -> None:
    network = randomised(TorchvisionNet())
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path, {"format": "pt"})
    assert not convert.is_converted(path)
    found, expected = answers(path, network, 64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    assert open_source(path).format == "safetensors, names of torchvision and timm"
    convert.load(path).save(tmp_path / "ours.safetensors")
    assert convert.is_converted(tmp_path / "ours.safetensors")


@pytest.mark.parametrize(
    ("dtype", "conversions"),
    [
        (torch.float16, ()),
        (torch.float64, ()),
        (torch.bfloat16, ("bfloat16 widened to float32 (41 tensors)",)),
    ],
    ids=["float16", "float64", "bfloat16"],
)
def test_type_of_the_values_is_kept_or_widened(
    tmp_path: Path, dtype: torch.dtype, conversions: tuple[str, ...]
) -> None:
    state = randomised(TorchvisionNet()).to(dtype).state_dict()
    checkpoint = convert.load(saved(tmp_path / "x.pth", state))
    assert checkpoint.tensors["fc.bias"].dtype == (np.float32 if conversions else str(dtype)[6:])
    np.testing.assert_array_equal(
        checkpoint.tensors["conv1.weight"].astype(float), state["conv1.weight"].double().numpy()
    )
    floats = sum(each.is_floating_point() for each in state.values())
    assert checkpoint.provenance.conversions == tuple(
        text.replace("41", str(floats)) for text in conversions
    )


def test_file_of_ours_keeps_name_licence_and_classes_on_its_way_back(
    tmp_path: Path,
) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    plain = convert.load(saved(tmp_path / "x.pth", state))
    names, wnids = tuple("abcdefg"), tuple(f"n0000000{n}" for n in range(7))
    provenance = replace(plain.provenance, published_name="some_net", licence="CC BY-NC 4.0")
    write_pth(
        replace(plain, provenance=provenance, classes=names, wnids=wnids), tmp_path / "ours.pth"
    )
    back = convert.load(tmp_path / "ours.pth")
    assert (back.provenance.published_name, back.provenance.stated) == ("some_net", True)
    assert (back.provenance.licence, back.classes, back.wnids) == ("CC BY-NC 4.0", names, wnids)
    out = CliRunner().invoke(main, [str(tmp_path / "ours.pth"), "--no-verify"]).stdout
    assert "as stated in the file, not as the file shows: some_net" in out
    assert "licence of the weights: CC BY-NC 4.0" in out
    out = CliRunner().invoke(main, [str(tmp_path / "ours.pth"), "--info"]).stdout
    assert "network: some_net, as stated at the conversion" in out


def test_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    one = convert.load(saved(tmp_path / "x.safetensors", state))
    other = convert.load(saved(tmp_path / "x.t7", state, old=True))
    assert one.digest() == other.digest()


def test_tensors_are_read_only_views(tmp_path: Path) -> None:
    state = randomised(TorchvisionNet()).state_dict()
    tensors = convert.load(saved(tmp_path / "x.pth", state)).tensors
    assert [name for name, each in tensors.items() if each.flags.writeable] == []
