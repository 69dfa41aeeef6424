"""The networks: as the layout says, initialised as the original does, and counted by PyTorch."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from resnext.layout import layout
from resnext.model import ResNeXt
from resnext.spec import Block, Norm, Shortcut, Spec, Stem, StemPool
from tests.support.golden import DATA

NAMES = json.loads((DATA / "torchvision_names.json").read_text())

RESNEXT_50 = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)
RESNEXT_101 = replace(RESNEXT_50, blocks=(3, 4, 23, 3))
TINY = Spec(
    blocks=(2, 1, 1),
    stem=Stem.CIFAR,
    cardinality=2,
    base_width=3,
    planes=4,
    stem_width=6,
    classes=5,
)
BASIC = replace(TINY, block=Block.BASIC, cardinality=1, base_width=4, stem_width=4)
IMAGENET = replace(TINY, blocks=(2, 1, 1, 1), stem=Stem.IMAGENET)
FAMILY = {
    "bottleneck": TINY,
    "basic": BASIC,
    "shortcut A": replace(BASIC, shortcut=Shortcut.A),
    "shortcut C": replace(TINY, shortcut=Shortcut.C),
    "after addition": replace(TINY, norm=Norm.AFTER_ADD),
    "pre-activation": replace(TINY, norm=Norm.PRE),
    "pre-activation in the branch": replace(TINY, norm=Norm.PRE_BRANCH),
    "ImageNet": IMAGENET,
    "pool without padding": replace(IMAGENET, stem_pool=StemPool.CEIL),
    "stages of other widths": replace(IMAGENET, stage_planes=(4, 4, 12, 20)),
    "projections first": replace(BASIC, shortcut=Shortcut.FIRST),
    "ImageNet, pre-activation": replace(IMAGENET, norm=Norm.PRE),
    "ImageNet, pre-activation in the branch": replace(IMAGENET, norm=Norm.PRE_BRANCH),
    "ImageNet, after addition": replace(IMAGENET, norm=Norm.AFTER_ADD),
}


def on_meta(spec: Spec) -> ResNeXt:
    with torch.device("meta"):
        return ResNeXt(spec)


@pytest.mark.parametrize("name", FAMILY)
def test_state_is_what_the_layout_says(name: str) -> None:
    state = on_meta(FAMILY[name]).state_dict()
    found = {key: tuple(tensor.shape) for key, tensor in state.items()}
    assert found == layout(FAMILY[name]).tensors()


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("resnext50_32x4d", RESNEXT_50),
        ("resnext101_64x4d", replace(RESNEXT_101, cardinality=64)),
        ("resnet18", Spec(blocks=(2, 2, 2, 2), block=Block.BASIC)),
    ],
)
def test_state_of_a_published_network_is_torchvisions(name: str, spec: Spec) -> None:
    state = on_meta(spec).state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == NAMES[name]


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        (RESNEXT_50, 25_028_904),
        (RESNEXT_101, 44_177_704),
        (replace(RESNEXT_101, cardinality=64), 83_455_272),
    ],
    ids=lambda value: value.name if isinstance(value, Spec) else "",
)
def test_parameters_of_a_published_network_are_counted(spec: Spec, count: int) -> None:
    assert sum(parameter.numel() for parameter in on_meta(spec).parameters()) == count


def multiply_adds(spec: Spec, size: int) -> int:
    network = on_meta(spec).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, size, size, device="meta"))
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize(
    ("spec", "giga"),
    [
        (RESNEXT_50, "4.230"),
        (RESNEXT_101, "7.970"),
        (replace(RESNEXT_101, cardinality=64), "15.460"),
    ],
    ids=lambda value: value.name if isinstance(value, Spec) else "",
)
def test_multiply_adds_of_a_published_network_are_what_pytorch_counts(
    spec: Spec, giga: str
) -> None:
    assert f"{multiply_adds(spec, 224) / 1e9:.3f}" == giga


@pytest.mark.parametrize("size", [32, 33, 47, 64, 224], ids=str)
@pytest.mark.parametrize("name", FAMILY)
def test_multiply_adds_of_the_layout_are_what_pytorch_counts(name: str, size: int) -> None:
    assert layout(FAMILY[name]).multiply_adds(size) == multiply_adds(FAMILY[name], size)


@pytest.mark.parametrize("name", FAMILY)
def test_pictures_become_logits_and_gradients_flow_to_every_parameter(name: str) -> None:
    network = ResNeXt(FAMILY[name], generator=torch.Generator().manual_seed(0))
    logits = network(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert [key for key, value in network.named_parameters() if not value.grad.any()] == []


def test_pool_without_padding_rounds_up() -> None:
    network = ResNeXt(replace(IMAGENET, stem_pool=StemPool.CEIL)).eval()
    with torch.inference_mode():
        x = torch.randn(1, 3, 44, 50, generator=torch.Generator().manual_seed(0))
        y = network.bn1(network.conv1(x)).relu()
        # Windows from 0 with stride 2, of 22 rows and 25 columns: the last row of windows is cut.
        rows = [y[:, :, 2 * i : 2 * i + 3] for i in range(11)]
        pooled = torch.stack([row.amax(2) for row in rows], 2)
        columns = [pooled[..., 2 * i : 2 * i + 3] for i in range(12)]
        expected = torch.stack([column.amax(3) for column in columns], 3)
        for name in network.stage_names:
            expected = network.get_submodule(name)(expected)
        assert torch.equal(network.fc(expected.mean((2, 3))), network(x))


@pytest.mark.parametrize("size", [(224, 160), (97, 131), (320, 320)], ids=str)
def test_pictures_of_another_size_are_taken(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert ResNeXt(IMAGENET).eval()(torch.zeros(1, 3, *size)).shape == (1, 5)


# C, h and w behind layer1 and behind the last stage, of pictures of 64 x 64.
MAPS = {
    "bottleneck": ((16, 64, 64), (64, 16, 16)),
    "basic": ((4, 64, 64), (16, 16, 16)),
    "ImageNet": ((16, 16, 16), (128, 2, 2)),
    "ImageNet, pre-activation": ((16, 16, 16), (128, 2, 2)),
}


@pytest.mark.parametrize("name", MAPS)
def test_features_are_the_map_of_a_stage(name: str) -> None:
    network = ResNeXt(FAMILY[name], generator=torch.Generator().manual_seed(0)).eval()
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    first, last = MAPS[name]
    with torch.inference_mode():
        assert network.forward_features(pictures, until="layer1").shape == (2, *first)
        features = network.forward_features(pictures)
    assert features.shape == (2, *last)
    assert (network.num_features, network.num_classes) == (last[0], 5)
    assert (features >= 0).all()  # behind the last ReLU, in a pre-activation network too


def test_head_averages_the_map_and_classifies() -> None:
    network = ResNeXt(TINY).eval()
    features = torch.arange(2 * 64 * 4.0).reshape(2, 64, 2, 2)
    with torch.inference_mode():
        pooled = network.forward_head(features, pre_logits=True)
        logits, expected = network.forward_head(features), network.fc(pooled)
    assert pooled.tolist() == [[256 * n + 4 * c + 1.5 for c in range(64)] for n in (0, 1)]
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", FAMILY)
def test_what_hooks_keep_of_blocks_and_stages_is_not_overwritten(name: str) -> None:
    network = ResNeXt(FAMILY[name])
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    gradients: list[torch.Tensor] = []
    for stage in map(network.get_submodule, network.stage_names):
        for module in (stage, *stage.children()):
            module.register_forward_hook(lambda *call: kept.append((call[2], call[2].clone())))
            module.register_full_backward_hook(lambda *call: gradients.extend(call[2]))
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    before = pictures.clone()
    network(pictures).sum().backward()
    assert len(gradients) == len(kept) == len(network.spec.blocks) + sum(network.spec.blocks)
    assert all(torch.equal(output, copy) for output, copy in kept)
    assert torch.equal(pictures, before)


def test_stage_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="layer5"):
        ResNeXt(TINY).forward_features(torch.zeros(1, 3, 32, 32), until="layer5")


def test_seed_decides_the_weights() -> None:
    first, again, other = (
        ResNeXt(TINY, generator=torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


def test_generator_of_its_own_leaves_torchs_alone() -> None:
    """All but the default initialisation of torch's own layers, which is overwritten."""
    network = ResNeXt(TINY, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(123)
    again = ResNeXt(TINY, generator=torch.Generator().manual_seed(1))
    for first, second in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "fan_out"),
    [
        ("conv1", 7 * 7 * 64),
        ("layer1.0.conv1", 128),
        ("layer1.0.conv2", 9 * 128),  # of all groups
        ("layer2.0.conv3", 512),
        ("layer4.0.downsample.0", 2048),
    ],
)
def test_convolutions_start_normal_with_the_deviation_of_the_original(
    name: str, fan_out: int
) -> None:
    network = ResNeXt(RESNEXT_50, generator=torch.Generator().manual_seed(0))
    weight = network.get_parameter(f"{name}.weight").double()
    deviation = math.sqrt(2 / fan_out)
    error = deviation / math.sqrt(weight.numel())  # of the mean; of the deviation 0.7 of it
    assert abs(weight.mean()) < 5 * error
    assert abs(weight.std() - deviation) < 5 * error
    assert abs((weight.abs() < deviation).double().mean() - 0.6827) < 0.02


def test_classifier_starts_uniform_with_a_bias_of_zero() -> None:
    network = ResNeXt(RESNEXT_50, generator=torch.Generator().manual_seed(0))
    weight, bound = network.fc.weight.detach(), 1 / math.sqrt(2048)
    assert float(weight.abs().max()) <= bound
    assert float(weight.abs().max()) > 0.999 * bound
    assert abs(float(weight.std()) - bound / math.sqrt(3)) < 0.001 * bound
    assert not network.fc.bias.any()


def test_batch_norms_start_with_ones_and_zeros() -> None:
    state = ResNeXt(TINY).state_dict()
    for name, tensor in state.items():
        match name.split(".")[-2:]:
            case [layer, "weight" | "running_var"] if layer.startswith("bn"):
                assert (tensor == 1).all(), name
            case [layer, "bias" | "running_mean"] if layer.startswith("bn"):
                assert not tensor.any(), name


def test_batch_norm_has_the_eps_and_momentum_of_the_original() -> None:
    norms = [m for m in ResNeXt(TINY).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


def test_shortcut_a_takes_every_second_pixel_and_pads_with_zeros() -> None:
    network = ResNeXt(FAMILY["shortcut A"])
    pad = network.get_submodule("layer2.0.downsample")
    found = pad(torch.arange(16.0).reshape(1, 1, 4, 4))
    assert found[0, 0].tolist() == [[0.0, 2.0], [8.0, 10.0]]
    assert found.shape == (1, 5, 2, 2)
    assert not found[0, 1:].any()
