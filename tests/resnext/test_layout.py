"""Layouts: names and shapes of torchvision, exact counts, and what is not torchvision's."""

import json
from dataclasses import replace

import pytest

from resnext.layout import layout
from resnext.spec import Block, Norm, Shortcut, Spec, Stem
from tests.support.golden import DATA

NAMES = json.loads((DATA / "torchvision_names.json").read_text())

RESNET_50 = Spec(blocks=(3, 4, 6, 3))
RESNET_18 = Spec(blocks=(2, 2, 2, 2), block=Block.BASIC)
RESNEXT_50 = replace(RESNET_50, cardinality=32, base_width=4)
RESNEXT_101 = replace(RESNEXT_50, blocks=(3, 4, 23, 3))
SPECS = {
    "resnet18": RESNET_18,
    "resnet34": replace(RESNET_18, blocks=(3, 4, 6, 3)),
    "resnet50": RESNET_50,
    "resnet101": replace(RESNET_50, blocks=(3, 4, 23, 3)),
    "resnet152": replace(RESNET_50, blocks=(3, 8, 36, 3)),
    "resnext50_32x4d": RESNEXT_50,
    "resnext101_32x4d": RESNEXT_101,
    "resnext101_64x4d": replace(RESNEXT_101, cardinality=64),
}
CIFAR = Spec(blocks=(3, 3, 3), stem=Stem.CIFAR, cardinality=8, base_width=64, classes=10)
PREACT_20 = Spec(
    blocks=(3, 3, 3),
    stem=Stem.CIFAR,
    block=Block.BASIC,
    norm=Norm.PRE,
    base_width=16,
    planes=16,
    stem_width=16,
    classes=10,
)


def test_every_network_of_the_names_file_is_tested() -> None:
    assert NAMES.keys() == SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_names_and_shapes_are_those_of_torchvision(name: str) -> None:
    found = {key: list(shape) for key, shape in layout(SPECS[name]).tensors().items()}
    assert found == NAMES[name]


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (SPECS["resnext50_32x4d"], 25_028_904),
        (SPECS["resnext101_32x4d"], 44_177_704),
        (SPECS["resnext101_64x4d"], 83_455_272),
        (SPECS["resnet18"], 11_689_512),
        (SPECS["resnet34"], 21_797_672),
        (SPECS["resnet50"], 25_557_032),
        (SPECS["resnet101"], 44_549_160),
        (SPECS["resnet152"], 60_192_808),
        (CIFAR, 34_426_698),
    ],
    ids=[*list(SPECS)[5:8], *list(SPECS)[:5], "resnext29_8x64d"],
)
def test_parameters_are_counted_exactly(spec: Spec, parameters: int) -> None:
    assert layout(spec).parameters() == parameters


@pytest.mark.parametrize(
    ("name", "giga"),
    [
        ("resnext50_32x4d", "4.230"),
        ("resnext101_32x4d", "7.970"),
        ("resnext101_64x4d", "15.460"),
        ("resnet50", "4.089"),
    ],
)
def test_multiply_adds_of_a_published_network_are_counted(name: str, giga: str) -> None:
    assert f"{layout(SPECS[name]).multiply_adds(224) / 1e9:.3f}" == giga


@pytest.mark.parametrize(
    ("base_width", "cardinality", "millions", "giga"),
    [
        (64, 1, "25.557", "4.089"),
        (40, 2, "25.425", "4.125"),
        (24, 4, "25.293", "4.160"),
        (14, 8, "25.603", "4.267"),
        (4, 32, "25.029", "4.230"),
    ],
)
def test_networks_of_one_x_complexity_cost_the_same(
    base_width: int, cardinality: int, millions: str, giga: str
) -> None:
    rows = layout(replace(RESNET_50, base_width=base_width, cardinality=cardinality))
    assert f"{rows.parameters() / 1e6:.3f}" == millions
    assert f"{rows.multiply_adds(224) / 1e9:.3f}" == giga


def names_of(spec: Spec, prefix: str) -> list[str]:
    """List the layers of one block, without their tensors' names."""
    names = [name.rsplit(".", 1)[0] for name in layout(spec).tensors() if name.startswith(prefix)]
    return list(dict.fromkeys(name.removeprefix(prefix) for name in names))


def test_batch_norm_after_the_addition_has_a_name_of_its_own() -> None:
    spec = replace(RESNET_50, norm=Norm.AFTER_ADD)
    assert names_of(spec, "layer2.0.") == (
        ["conv1", "conv2", "conv3", "bn1", "bn2", "downsample.0", "bn_add"]
    )
    assert layout(spec).tensors()["layer2.0.bn_add.running_var"] == (512,)


def test_network_with_batch_norm_after_the_addition_is_not_torchvisions() -> None:
    assert layout(replace(RESNET_50, norm=Norm.AFTER_ADD)).tensors().keys() != NAMES["resnet50"]


@pytest.mark.parametrize(
    ("stem", "block", "names"),
    [
        (Stem.IMAGENET, "layer1.0.", ["conv1", "conv2", "conv3", "bn2", "bn3", "downsample.0"]),
        (Stem.IMAGENET, "layer1.1.", ["conv1", "conv2", "conv3", "bn1", "bn2", "bn3"]),
        (
            Stem.IMAGENET,
            "layer2.0.",
            ["conv1", "conv2", "conv3", "bn1", "bn2", "bn3", "downsample.0"],
        ),
        (Stem.CIFAR, "layer1.0.", ["conv1", "conv2", "conv3", "bn1", "bn2", "bn3", "downsample.0"]),
    ],
    ids=["no_preact", "plain", "both_preact", "both_preact, CIFAR"],
)
def test_blocks_of_pre_activation_have_their_batch_norms(
    stem: Stem, block: str, names: list[str]
) -> None:
    assert names_of(Spec(blocks=(2, 2, 2), stem=stem, norm=Norm.PRE), block) == names


def test_batch_norm_of_pre_activation_has_the_width_of_what_it_normalises() -> None:
    tensors = layout(Spec(blocks=(3, 24, 36, 3), norm=Norm.PRE)).tensors()
    widths = [tensors[f"layer2.0.bn{number}.weight"] for number in (1, 2, 3)]
    assert widths == [(256,), (128,), (128,)]
    assert tensors["bn_last.weight"] == (2048,)


def test_first_batch_norm_of_cifars_pre_activation_is_in_its_first_block() -> None:
    tensors = layout(PREACT_20).tensors()
    assert "bn1.weight" not in tensors
    assert tensors["layer1.0.bn1.weight"] == (16,)


def test_parameters_of_cifars_pre_activation_network() -> None:
    # 3x3 convolutions: 432 + 6*2304 + 4608 + 5*9216 + 18432 + 5*36864; projections 512 + 2048;
    # batch norms: 2*(16*6 + 16 + 32*5 + 32 + 64*5 + 64); classifier 650
    assert layout(PREACT_20).parameters() == 272_282


@pytest.mark.parametrize(
    ("shortcut", "blocks"),
    [
        (Shortcut.A, []),
        (Shortcut.B, ["layer2.0", "layer3.0"]),
        (Shortcut.C, [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)]),
        (Shortcut.FIRST, ["layer1.0", "layer2.0", "layer3.0"]),
    ],
    ids=list(Shortcut),
)
def test_projections_are_where_the_shortcut_has_them(shortcut: Shortcut, blocks: list[str]) -> None:
    spec = replace(PREACT_20, norm=Norm.POST, blocks=(2, 2, 2), shortcut=shortcut)
    found = [block.name for stage in layout(spec).stages for block in stage if block.projection]
    assert found == blocks


def test_shortcut_a_pads_where_the_width_changes() -> None:
    spec = replace(PREACT_20, norm=Norm.POST, stem_width=8, shortcut=Shortcut.A)
    found = [(b.name, b.stride) for stage in layout(spec).stages for b in stage if b.pads]
    assert found == [("layer1.0", 1), ("layer2.0", 2), ("layer3.0", 2)]


def test_stride_is_in_the_three_by_three() -> None:
    [block, *_] = layout(RESNEXT_50).stages[1]
    assert [(row.kernel, row.stride, row.groups) for row in block.convolutions] == [
        (1, 1, 1),
        (3, 2, 32),
        (1, 1, 1),
    ]
