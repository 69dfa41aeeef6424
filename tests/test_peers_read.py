"""State dicts and folders that the real torchvision and timm write are read, and answer alike."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import convert
from benchmarks.peers import import_torchvision
from convert.loading import load_original, open_source
from convert.location import start_sha256
from convert.proof import prove
from convert.source.errors import ForeignModuleError
from resnext.checkpoint import Origin
from resnext.preprocessing import Interpolation, Pipeline
from tests.support.torch_nets import randomised

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        find_spec("timm") is None or find_spec("torchvision") is None,
        reason="timm and torchvision are not installed",
    ),
]

SIDE = 64
TOLERANCE = 2e-5  # another order of sums in float32


def torchvision_net(**options: Any) -> nn.Module:
    resnet = import_torchvision("torchvision.models.resnet")
    network: nn.Module = resnet.ResNet(resnet.Bottleneck, [1, 2, 1, 1], num_classes=9, **options)
    return network


def timm_net(**options: Any) -> nn.Module:
    import_torchvision("torchvision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm.models.resnet as resnet
    block = resnet.Bottleneck
    network: nn.Module = resnet.ResNet(block, [1, 1, 2, 1], num_classes=9, **options)
    return network


PLAIN: dict[str, Callable[[], nn.Module]] = {
    "torchvision": lambda: torchvision_net(groups=32, width_per_group=4),
    "torchvision, wide": lambda: torchvision_net(width_per_group=128),
    "torchvision, 14 channels a group": lambda: torchvision_net(groups=8, width_per_group=14),
    "timm": lambda: timm_net(cardinality=32, base_width=4),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
def test_state_dict_of_a_peer_answers_as_the_peer(tmp_path: Path, name: str, old: bool) -> None:
    network = randomised(PLAIN[name]())
    path = tmp_path / "x.pth"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=not old)
    original = load_original(path, sha256=start_sha256(path))
    assert prove(original.source.run, original.checkpoint()).difference < 1e-12
    x = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = network(x).numpy()
        found = convert.load(path).build()(x).numpy()
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * largest)


FOREIGN = {
    "seresnext50_32x4d": "layer1.0.se: ",
    "resnet50d": "conv1.0: a stem",
    "ecaresnet26t": "conv1.0: a stem",
    "resnet26d": "conv1.0: a stem",
    "res2net50_26w_4s": "layer1.0.convs: Res2Net",
    "resnest14d": "conv1.0: a stem",
    "skresnet18": "layer1.0.conv1.paths: ",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_network_of_timm_that_is_not_plain_is_refused_by_its_module(
    tmp_path: Path, name: str
) -> None:
    timm_net()
    import timm

    torch.save(timm.create_model(name, num_classes=2).state_dict(), tmp_path / "x.pth")
    with pytest.raises(ForeignModuleError) as caught:
        convert.load(tmp_path / "x.pth")
    assert FOREIGN[name] in str(caught.value)


def test_folder_that_timm_saves_is_read_with_what_it_resolves(tmp_path: Path) -> None:
    timm_net()
    import timm
    from timm.models._hub import save_config_for_hf

    network = randomised(timm.create_model("resnext50_32x4d.a1h_in1k", num_classes=3))
    (tmp_path / "net").mkdir()
    save_config_for_hf(network, tmp_path / "net" / "config.json")
    save_file(network.state_dict(), tmp_path / "net" / "model.safetensors")
    checkpoint = convert.load(tmp_path / "net")
    assert checkpoint.origin is Origin.FILE
    assert checkpoint.preprocessing is not None
    resolved = timm.data.resolve_model_data_config(network)
    row = checkpoint.preprocessing
    assert (row.crop, row.mean, row.std) == (
        resolved["input_size"][1],
        tuple(resolved["mean"]),
        tuple(resolved["std"]),
    )
    assert (row.pipeline, row.interpolation) == (Pipeline.PIL, Interpolation.BICUBIC)
    assert row.scale == int(resolved["input_size"][1] / resolved["crop_pct"])
    source = open_source(tmp_path / "net" / "model.safetensors")
    assert source.format == "safetensors, names of torchvision and timm"
