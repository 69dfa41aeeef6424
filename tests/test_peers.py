"""The real timm and torchvision load what this project writes, and answer the same."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.peers import import_torchvision
from convert import load
from convert.export.formats import EXPORTERS
from convert.export.timm import ARCHITECTURES
from resnext.checkpoint import Checkpoint, Provenance
from resnext.inference.arithmetic import Precision
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from resnext.pixels.decoding import decode
from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.preprocessing import IMAGENET
from resnext.spec import Block, Spec
from tests.support.golden import DATA, Golden
from tests.support.timm_folders import small_checkpoint, timm_folder

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        find_spec("timm") is None or find_spec("torchvision") is None,
        reason="timm and torchvision are not installed",
    ),
]

IMAGES = DATA / "images"
GoldenNetwork = Callable[[str], Golden]
# torchvision and timm compute in this order of operations too; a sum may still be split otherwise.
TOLERANCE = 2e-5
SIDE = 64  # of the pictures for networks of full width: the layers are all there, and it is quick

PUBLISHED = ("resnext50_32x4d", "resnext101_32x4d", "resnext101_64x4d", "resnet18", "resnet152")
# What timm has no name for, but builds from arguments.
VARIATIONS = {
    "resnext_50_8x14d": Spec(blocks=(3, 4, 6, 3), cardinality=8, base_width=14),
    "resnext_26_4x12d": Spec(blocks=(2, 2, 2, 2), cardinality=4, base_width=12, classes=7),
    "resnet_10": Spec(blocks=(1, 1, 1, 1), block=Block.BASIC, classes=7),
    "narrow": Spec(blocks=(1, 2, 1, 1), cardinality=2, base_width=6, planes=24, classes=7),
}


@cache
def peers() -> tuple[Any, Any]:
    """Import torchvision and timm."""
    import_torchvision("torchvision.models.resnet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm.models.resnet
    return import_torchvision("torchvision"), timm


def random_checkpoint(spec: Spec) -> Checkpoint:
    """Return a checkpoint of seeded weights; no batch norm is left an identity."""
    generator = torch.Generator().manual_seed(0)
    network = ResNeXt(spec, generator=generator)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.weight, 0.3, 0.9),
                    (module.bias, -0.2, 0.2),
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.7, 1.4),
                ):
                    assert tensor is not None
                    tensor.uniform_(low, high, generator=generator)
    return Checkpoint(
        spec=spec,
        tensors={name: tensor.numpy() for name, tensor in network.state_dict().items()},
        preprocessing=IMAGENET,
        origin=None,
        provenance=Provenance(
            source_file="some.t7", source_sha256="5a", source_bytes=7, converted_by="resnext 0"
        ),
    )


def write(checkpoint: Checkpoint, path: Path, name: str) -> Path:
    EXPORTERS[name].write(checkpoint, path)
    return path


def torchvision_network(spec: Spec) -> nn.Module:
    """Return torchvision's network of a spec with 64 planes, in evaluation mode."""
    resnet = peers()[0].models.resnet
    block = resnet.BasicBlock if spec.block is Block.BASIC else resnet.Bottleneck
    network: nn.Module = resnet.ResNet(
        block,
        list(spec.blocks),
        num_classes=spec.classes,
        groups=spec.cardinality,
        width_per_group=spec.base_width,
    )
    return network.eval()


def narrow_torchvision(spec: Spec) -> nn.Module:
    """Return torchvision's network with other widths: its own stages and forward pass.

    The class fixes 64 planes and 64 channels behind the stem, so these are put in afterwards.
    """
    resnet = peers()[0].models.resnet
    block = resnet.BasicBlock if spec.block is Block.BASIC else resnet.Bottleneck
    network = resnet.ResNet(block, [1, 1, 1, 1], num_classes=spec.classes)
    network.inplanes = spec.stem_width
    if spec.block is Block.BOTTLENECK:
        network.groups = spec.cardinality
        network.base_width = 64 * spec.base_width // spec.planes
    for stage, count in enumerate(spec.blocks):
        layer = network._make_layer(block, spec.planes << stage, count, stride=2 if stage else 1)
        setattr(network, f"layer{stage + 1}", layer)
    return narrow_ends(network, spec)


def narrow_timm(spec: Spec) -> nn.Module:
    """Return timm's network with another width of the stem, which its class fixes at 64."""
    resnet = peers()[1].models.resnet
    basic = spec.block is Block.BASIC
    block = resnet.BasicBlock if basic else resnet.Bottleneck
    channels = [spec.planes << stage for stage in range(4)]
    widths = {"cardinality": 1, "base_width": 64}
    if not basic:
        widths = {
            "cardinality": spec.cardinality,
            "base_width": 64 * spec.base_width // spec.planes,
        }
    network = resnet.ResNet(block, spec.blocks, channels=channels, **widths)
    stages, _ = resnet.make_blocks([block] * 4, channels, spec.blocks, spec.stem_width, **widths)
    for name, stage in stages:
        setattr(network, name, stage)
    return narrow_ends(network, spec)


def narrow_ends(network: nn.Module, spec: Spec) -> nn.Module:
    network.conv1 = nn.Conv2d(3, spec.stem_width, 7, stride=2, padding=3, bias=False)
    network.bn1 = nn.BatchNorm2d(spec.stem_width)
    network.fc = nn.Linear(spec.features, spec.classes)
    return network.eval()


def logits(network: nn.Module, pictures: Tensor) -> np.ndarray:
    with torch.inference_mode():
        return network(pictures).numpy()


def assert_same_logits(found: nn.Module, checkpoint: Checkpoint) -> None:
    pictures = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    expected = logits(checkpoint.build(), pictures)
    size = max(1.0, float(np.abs(expected).max()))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(
        logits(found, pictures) / size, expected / size, rtol=0, atol=TOLERANCE
    )


# Torch7's networks


@pytest.mark.parametrize("make", [narrow_torchvision, narrow_timm], ids=["torchvision", "timm"])
@pytest.mark.parametrize("name", ["imagenet_c50", "imagenet_basic18"])
def test_peer_with_exported_weights_answers_what_torch7_answered(
    golden: GoldenNetwork, tmp_path: Path, name: str, make: Callable[[Spec], nn.Module]
) -> None:
    model = golden(name)
    checkpoint = load(model.path)
    network = make(checkpoint.spec)

    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)
    network.load_state_dict(state, strict=True)

    found = logits(network, torch.from_numpy(model.input))
    np.testing.assert_allclose(found, model.output, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["imagenet_c50", "imagenet_basic18"])
@pytest.mark.parametrize("layer", [None, "layer2", "layer4"])
def test_features_are_those_of_timm(
    golden: GoldenNetwork, tmp_path: Path, name: str, layer: str | None
) -> None:
    model = golden(name)
    checkpoint = load(model.path)
    network = narrow_timm(checkpoint.spec)
    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)
    network.load_state_dict(state, strict=True)
    pictures = torch.from_numpy(model.input)
    maps: list[Tensor] = []
    if layer is not None:
        network.get_submodule(layer).register_forward_hook(lambda *each: maps.append(each[2]))
    with torch.inference_mode():
        last = network.forward_features(pictures)
    expected = (maps[0] if maps else last).mean((2, 3)).numpy()

    predictor = Predictor(
        checkpoint.build(),
        device=torch.device("cpu"),
        precision=Precision.FP32,
        features=True,
        layer=layer,
    )
    found = predictor.logits(pictures)[:, checkpoint.spec.classes :]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["imagenet_c50", "imagenet_basic18"])
def test_timm_loads_the_safetensors_file_of_torch7s_network(
    golden: GoldenNetwork, tmp_path: Path, name: str
) -> None:
    _, timm = peers()
    model = golden(name)
    checkpoint = load(model.path)
    network = narrow_timm(checkpoint.spec)

    path = write(checkpoint, tmp_path / "some.safetensors", "safetensors")
    timm.models.load_checkpoint(network, path, strict=True)

    found = logits(network, torch.from_numpy(model.input))
    np.testing.assert_allclose(found, model.output, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["imagenet_c50", "imagenet_basic18"])
def test_timm_loads_the_folder_of_torch7s_network_with_a_wider_stem(
    golden: GoldenNetwork, tmp_path: Path, name: str
) -> None:
    """The golden networks are narrower than timm's stem; channels of zeros change no answer.

    Basic blocks have no projection behind a stem of their own width, and need one behind a wider.
    """
    _, timm = peers()
    model = golden(name)
    checkpoint = widened(load(model.path))

    folder = write(checkpoint, tmp_path / "some", "timm")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()

    found = logits(network, torch.from_numpy(model.input))
    np.testing.assert_allclose(found, model.output, rtol=0, atol=TOLERANCE)


def widened(checkpoint: Checkpoint) -> Checkpoint:
    """Return the same function with 64 channels behind the stem, those that are new all zero."""
    spec = replace(checkpoint.spec, stem_width=64)
    shapes = ResNeXt(spec).state_dict()
    tensors = {}
    for name, wide in shapes.items():
        array = np.zeros(tuple(wide.shape), wide.numpy().dtype)
        if (narrow := checkpoint.tensors.get(name)) is not None:
            array[tuple(slice(0, size) for size in narrow.shape)] = narrow
        elif name == "layer1.0.downsample.0.weight":
            array[:, : checkpoint.spec.stem_width, 0, 0] = np.eye(spec.planes)
        elif name in ("layer1.0.downsample.1.weight", "layer1.0.downsample.1.running_var"):
            # An identity: (x - 0) / sqrt(var + eps) * weight, with var + eps = 1.
            array[...] = 1 if name.endswith("weight") else 1 - 1e-5
        tensors[name] = array
    return replace(checkpoint, spec=spec, tensors=tensors)


# Networks of full size


@pytest.mark.parametrize("name", PUBLISHED)
def test_torchvision_and_this_project_load_each_other(tmp_path: Path, name: str) -> None:
    checkpoint = random_checkpoint(ARCHITECTURES[name])
    network = torchvision_network(checkpoint.spec)

    state = torch.load(write(checkpoint, tmp_path / "some.pth", "pth"), weights_only=True)
    network.load_state_dict(state, strict=True)
    ResNeXt(checkpoint.spec).load_state_dict(network.state_dict(), strict=True)

    assert_same_logits(network, checkpoint)


@pytest.mark.parametrize("name", PUBLISHED)
def test_timm_checkpoint_path_and_this_project_load_each_other(tmp_path: Path, name: str) -> None:
    _, timm = peers()
    checkpoint = random_checkpoint(ARCHITECTURES[name])

    path = write(checkpoint, tmp_path / "some.safetensors", "safetensors")
    network = timm.create_model(name, checkpoint_path=path).eval()
    ResNeXt(checkpoint.spec).load_state_dict(network.state_dict(), strict=True)

    assert_same_logits(network, checkpoint)


@pytest.mark.parametrize(
    "spec",
    [ARCHITECTURES["resnext50_32x4d"], *VARIATIONS.values()],
    ids=["resnext50_32x4d", *VARIATIONS],
)
def test_timm_folder_is_the_network(tmp_path: Path, spec: Spec) -> None:
    _, timm = peers()
    checkpoint = random_checkpoint(spec)

    folder = write(checkpoint, tmp_path / "some", "timm")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()

    ResNeXt(spec).load_state_dict(network.state_dict(), strict=True)
    assert_same_logits(network, checkpoint)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_timm_architecture_of_each_name_has_the_same_tensors(name: str) -> None:
    _, timm = peers()
    with torch.device("meta"):
        theirs, ours = timm.create_model(name), ResNeXt(ARCHITECTURES[name])

    assert {key: value.shape for key, value in theirs.state_dict().items()} == {
        key: value.shape for key, value in ours.state_dict().items()
    }


def test_timm_folder_brings_its_preprocessing(tmp_path: Path) -> None:
    _, timm = peers()
    row = replace(IMAGENET, scale=36, crop=32, mean=(0.1, 0.2, 0.3))
    checkpoint = replace(random_checkpoint(VARIATIONS["narrow"]), preprocessing=row)

    folder = write(checkpoint, tmp_path / "some", "timm")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True)
    config = timm.data.resolve_model_data_config(network)
    resize, crop, *_ = timm.data.create_transform(**config).transforms

    assert (resize.size, tuple(crop.size)) == (36, (32, 32))
    assert (config["mean"], config["std"]) == ([0.1, 0.2, 0.3], [0.229, 0.224, 0.225])
    assert config["interpolation"] == "bicubic"


def test_timm_folder_brings_the_names_of_its_classes(tmp_path: Path) -> None:
    _, timm = peers()
    names = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
    checkpoint = replace(random_checkpoint(VARIATIONS["narrow"]), classes=names)

    folder = write(checkpoint, tmp_path / "some", "timm")
    config = timm.create_model(f"local-dir:{folder}", pretrained=True).pretrained_cfg

    found = timm.data.CustomDatasetInfo(config["label_names"])
    assert (found.num_classes(), found.index_to_label_name(6)) == (7, "gnu")


def test_timm_folder_can_be_fine_tuned_to_other_classes(tmp_path: Path) -> None:
    _, timm = peers()
    checkpoint = random_checkpoint(VARIATIONS["narrow"])

    folder = write(checkpoint, tmp_path / "some", "timm")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=3)

    assert network.fc.weight.shape == (3, 768)
    np.testing.assert_array_equal(
        network.conv1.weight.detach().numpy(), checkpoint.tensors["conv1.weight"]
    )


@pytest.mark.parametrize(
    "name", ["landscape_420", "portrait_444", "odd_501x377", "panorama", "square256", "large"]
)
def test_pil_pipeline_equals_torchvisions_in_every_bit(name: str) -> None:
    peers()
    from PIL import Image
    from torchvision import transforms  # type: ignore[import-untyped]

    pixels = decode((IMAGES / f"{name}.JPEG").read_bytes())
    normalise = transforms.Normalize(IMAGENET.mean, IMAGENET.std)
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalise]
    expected = transforms.Compose(steps)(Image.fromarray(pixels)).numpy()
    assert np.array_equal(prepare_pil(pixels, IMAGENET), expected)
    ten = transforms.Compose([transforms.Resize(256), transforms.TenCrop(224)])
    crops = ten(Image.fromarray(pixels))
    # torchvision's order is four corners and then the centre; ours starts with the centre.
    order = (4, 0, 1, 2, 3, 9, 5, 6, 7, 8)
    wanted = [normalise(transforms.functional.to_tensor(crops[n])).numpy() for n in order]
    assert np.array_equal(prepare_ten_pil(pixels, IMAGENET), np.stack(wanted))


def test_the_code_of_a_model_card_loads_the_network_and_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers()
    folder = timm_folder(tmp_path / "x.timm")
    monkeypatch.chdir(folder)
    _, _, code = (folder / "README.md").read_text().partition("```python\n")
    found: dict[str, Any] = {}
    exec(code.partition("```")[0], found)  # noqa: S102 - what a reader of the card runs
    picture = found["transform"]((DATA / "images/landscape_420.JPEG").read_bytes())[None]
    with torch.no_grad():
        ours = small_checkpoint().build()(picture)
        assert torch.allclose(found["network"](picture), ours, rtol=1e-5, atol=1e-5)
