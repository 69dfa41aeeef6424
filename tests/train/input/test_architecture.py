"""The networks that the original could be asked for."""

import pytest

from resnext.layout import layout
from resnext.published import published
from resnext.spec import Stem
from train.input.architecture import Architecture
from train.recipe.recipe import RecipeError


@pytest.mark.parametrize("name", ["resnext_50_32x4d", "resnext_101_32x4d", "resnext_101_64x4d"])
def test_options_of_the_paper_give_the_published_network(name: str) -> None:
    options = {
        "resnext_50_32x4d": (50, 4, 32),
        "resnext_101_32x4d": (101, 4, 32),
        "resnext_101_64x4d": (101, 4, 64),
    }[name]
    depth, base_width, cardinality = options
    found = Architecture(depth=depth, base_width=base_width, cardinality=cardinality)
    (row,) = [row for row in published() if row.name == name]
    assert found.spec(Stem.IMAGENET, 1000) == row.spec


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnets_of_the_release_have_their_depth(depth: int) -> None:
    spec = Architecture(depth=depth).spec(Stem.IMAGENET, 1000)
    assert (spec.depth, spec.name) == (depth, f"resnet_{depth}")


def test_cifar_network_of_the_readme_is_16x64d() -> None:
    spec = Architecture(depth=29, base_width=64, cardinality=16).spec(Stem.CIFAR, 10)
    assert spec.name == "resnext_29_16x64d"
    assert (spec.blocks, spec.planes, spec.stem_width, spec.features) == ((3, 3, 3), 64, 64, 1024)


def test_cifar_network_of_the_paper_has_its_parameters() -> None:
    spec = Architecture(depth=29, base_width=64, cardinality=8).spec(Stem.CIFAR, 10)
    # Printed as 34.4 million for ResNeXt-29, 8x64d, in the paper's comparison on CIFAR.
    assert round(layout(spec).parameters() / 1e6, 1) == 34.4


def test_forms_b_and_c_are_one_network() -> None:
    forms = [
        Architecture(depth=29, base_width=4, cardinality=8, kind=kind).spec(Stem.CIFAR, 10)
        for kind in ("resnext_B", "resnext_C")
    ]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(
    ("architecture", "stem", "message"),
    [
        (Architecture(depth=20, cardinality=1), Stem.IMAGENET, "one of 18, 34, 50, 101, 152"),
        (Architecture(depth=50), Stem.CIFAR, "9n\\+2"),
        (Architecture(depth=2), Stem.CIFAR, "9n\\+2"),
        (Architecture(depth=50, cardinality=2, kind="resnet"), Stem.IMAGENET, "neither"),
    ],
)
def test_networks_that_do_not_exist_are_refused(
    architecture: Architecture, stem: Stem, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        architecture.spec(stem, 10)


def test_shortcut_a_on_a_bottleneck_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"--shortcut-type A: .*basic blocks only"):
        Architecture(depth=50, shortcut="A").spec(Stem.IMAGENET, 10)
