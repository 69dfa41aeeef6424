"""Specs: what is a network of the family, what follows from its numbers, and what is refused."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from resnext.errors import SpecError
from resnext.spec import Block, Norm, Shortcut, Spec, Stem, StemPool

RESNET_50 = Spec(blocks=(3, 4, 6, 3))
RESNEXT_50 = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)
RESNET_18 = Spec(blocks=(2, 2, 2, 2), block=Block.BASIC)
RESNET_200 = Spec(blocks=(3, 24, 36, 3), norm=Norm.PRE)
CIFAR = Spec(blocks=(3, 3, 3), stem=Stem.CIFAR, cardinality=8, base_width=64, classes=10)
CIFAR_20 = Spec(
    blocks=(3, 3, 3),
    stem=Stem.CIFAR,
    block=Block.BASIC,
    base_width=16,
    planes=16,
    stem_width=16,
    classes=10,
)


@pytest.mark.parametrize(
    ("spec", "depth", "name"),
    [
        (RESNET_18, 18, "resnet_18"),
        (replace(RESNET_18, blocks=(3, 4, 6, 3)), 34, "resnet_34"),
        (RESNET_50, 50, "resnet_50"),
        (replace(RESNET_50, blocks=(3, 4, 23, 3)), 101, "resnet_101"),
        (replace(RESNET_50, blocks=(3, 8, 36, 3)), 152, "resnet_152"),
        (RESNET_200, 200, "resnet_200"),
        (RESNEXT_50, 50, "resnext_50_32x4d"),
        (replace(RESNEXT_50, blocks=(3, 4, 23, 3)), 101, "resnext_101_32x4d"),
        (replace(RESNEXT_50, blocks=(3, 4, 23, 3), cardinality=64), 101, "resnext_101_64x4d"),
        (CIFAR, 29, "resnext_29_8x64d"),
        (CIFAR_20, 20, "resnet_20"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_depth_and_name_are_those_of_the_papers(spec: Spec, depth: int, name: str) -> None:
    assert (spec.depth, spec.name) == (depth, name)


@pytest.mark.parametrize(
    ("spec", "expansion", "features"),
    [(RESNET_18, 1, 512), (RESNET_50, 4, 2048), (CIFAR, 4, 1024), (CIFAR_20, 1, 64)],
    ids=["18", "50", "29", "20"],
)
def test_features_follow_from_the_stages(spec: Spec, expansion: int, features: int) -> None:
    assert (spec.expansion, spec.features) == (expansion, features)


@pytest.mark.parametrize(
    ("spec", "pool", "size"), [(RESNET_50, 7, 224), (CIFAR, 8, 32)], ids=["ImageNet", "CIFAR"]
)
def test_input_size_is_the_one_that_the_fixed_pooling_takes(
    spec: Spec, pool: int, size: int
) -> None:
    assert (spec.pool, spec.input_size) == (pool, size)


def test_group_width_doubles_with_each_stage() -> None:
    assert [RESNEXT_50.group_width(stage) for stage in range(4)] == [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"blocks": ()}, "three or four stages"),
        ({"blocks": (3, 3)}, "three or four stages"),
        ({"blocks": (1, 1, 1, 1, 1)}, "three or four stages"),
        ({"blocks": (3, 0, 6, 3)}, "whole numbers >= 1"),
        ({"blocks": (3, -4, 6, 3)}, "whole numbers >= 1"),
        ({"cardinality": 0}, "whole numbers >= 1"),
        ({"base_width": 0}, "whole numbers >= 1"),
        ({"planes": -64}, "whole numbers >= 1"),
        ({"stem_width": 0}, "whole numbers >= 1"),
        ({"classes": 0}, "whole numbers >= 1"),
        ({"blocks": (10**9, 4, 6, 3)}, "at most 6000 blocks"),
        ({"block": Block.BASIC, "cardinality": 2}, "a basic block has cardinality 1"),
        ({"block": Block.BASIC, "base_width": 4}, r"base width 64 \(its planes\)"),
        ({"shortcut": Shortcut.A}, "shortcut A exists for basic blocks only"),
        (
            {"block": Block.BASIC, "shortcut": Shortcut.A, "stem_width": 16},
            "shortcut A cannot lead from 16 to 64",
        ),
        (
            {"block": Block.BASIC, "shortcut": Shortcut.A, "stem_width": 128},
            "shortcut A cannot lead from 128 to 64",
        ),
        ({"stem": Stem.CIFAR, "stem_pool": StemPool.CEIL}, "the stem of CIFAR has no max-pool"),
        ({"stage_planes": (64, 64, 128)}, r"4 whole numbers >= 1, the first of them 64"),
        ({"stage_planes": (32, 64, 128, 256)}, r"the first of them 64 \(planes\)"),
        ({"stage_planes": (64, 64, -1, 256)}, "4 whole numbers >= 1"),
        ({"stage_planes": (64, 64, 8, 8), "base_width": 4}, "a group without channels"),
        (
            {"block": Block.BASIC, "shortcut": Shortcut.A, "stage_planes": (64, 64, 64, 64)},
            "shortcut A expects planes that double",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_numbers_that_describe_no_network_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec(**{"blocks": (3, 4, 6, 3), **fields})


def test_spec_of_plain_values_is_that_of_the_enumerations() -> None:
    fields: dict[str, Any] = {
        "blocks": [3, 4, 6, 3],
        "stem": "imagenet",
        "block": "basic",
        "norm": "post",
        "shortcut": "A",
    }
    spec = Spec(**fields)
    assert spec.blocks == (3, 4, 6, 3)
    assert spec.stem is Stem.IMAGENET
    assert spec.block is Block.BASIC
    assert spec.norm is Norm.POST
    assert spec.shortcut is Shortcut.A
    assert (spec.depth, spec.input_size) == (34, 224)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stem": "bogus"}, "stem is one of imagenet, cifar, found 'bogus'"),
        ({"block": Stem.CIFAR}, "block is one of basic, bottleneck, found <Stem.CIFAR"),
        ({"blocks": "3463"}, "blocks must be a list of whole numbers, found '3463'"),
        ({"blocks": (3, 4.0, 6, 3)}, "blocks must be a list of whole numbers"),
        ({"classes": 1.5}, "classes must be a whole number, found 1.5"),
        ({"cardinality": True}, "cardinality must be a whole number, found True"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_values_of_another_type_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec(**{"blocks": (3, 4, 6, 3), **fields})


@pytest.mark.parametrize("spec", [RESNET_18, RESNEXT_50, RESNET_200, CIFAR], ids=lambda s: s.name)
def test_fields_survive_json(spec: Spec) -> None:
    assert Spec.from_fields(json.loads(json.dumps(spec.to_fields())), "here") == spec


def test_fields_are_plain_values() -> None:
    assert RESNEXT_50.to_fields() == {
        "blocks": [3, 4, 6, 3],
        "stem": "imagenet",
        "block": "bottleneck",
        "norm": "post",
        "shortcut": "B",
        "cardinality": 32,
        "base_width": 4,
        "planes": 64,
        "stem_width": 64,
        "classes": 1000,
    }


def test_fields_that_are_left_out_have_their_defaults() -> None:
    assert Spec.from_fields({"blocks": [3, 4, 6, 3]}, "here") == RESNET_50


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 3}, "here: unknown field 'width'"),
        ({"blocks": None}, "here: blocks must be a list of whole numbers"),
        ({"blocks": "3463"}, "here: blocks must be a list of whole numbers"),
        ({"blocks": [3, 4.0, 6, 3]}, "here: blocks must be a list of whole numbers"),
        ({"blocks": [3, True, 6, 3]}, "here: blocks must be a list of whole numbers"),
        ({"classes": "1000"}, "here: classes must be a whole number, found '1000'"),
        ({"classes": True}, "here: classes must be a whole number"),
        ({"cardinality": 32.0}, "here: cardinality must be a whole number"),
        ({"stem": "vgg"}, "here: stem is one of imagenet, cifar, found 'vgg'"),
        ({"norm": None}, "here: norm is one of post"),
        ({"shortcut": ["B"]}, "here: shortcut is one of A, B, C"),
        (
            {"classes": 0},
            "here: three or four stages and whole numbers >= 1 .* found classes 0",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_fields_that_are_wrong_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec.from_fields({"blocks": [3, 4, 6, 3], **fields}, "here")


def test_fields_without_blocks_are_refused() -> None:
    with pytest.raises(SpecError, match="here: blocks is missing"):
        Spec.from_fields({"classes": 10}, "here")


def test_fields_of_later_versions_are_left_out_where_they_are_the_default() -> None:
    assert {"stem_pool", "stage_planes"}.isdisjoint(RESNEXT_50.to_fields())
    spec = replace(RESNEXT_50, stem_pool="ceil", stage_planes=[64, 64, 128, 128])
    fields = spec.to_fields()
    assert (fields["stem_pool"], fields["stage_planes"]) == ("ceil", [64, 64, 128, 128])
    assert Spec.from_fields(json.loads(json.dumps(fields)), "here") == spec


def test_stages_of_other_widths_have_groups_of_other_widths() -> None:
    spec = replace(RESNEXT_50, stage_planes=(64, 64, 128, 192))
    assert [spec.width(stage) for stage in range(4)] == [64, 64, 128, 192]
    assert [spec.group_width(stage) for stage in range(4)] == [4, 4, 8, 12]
    assert spec.features == 768


def test_planes_that_double_are_as_if_none_were_given() -> None:
    assert replace(RESNEXT_50, stage_planes=(64, 128, 256, 512)) == RESNEXT_50


def test_spec_can_be_a_key() -> None:
    assert {RESNEXT_50: 1}[Spec(**asdict(RESNEXT_50))] == 1


def test_whole_numbers_of_numpy_are_taken_as_plain_ones() -> None:
    spec = Spec(blocks=(np.int64(1), 1, 1, 1), classes=np.int32(10))  # type: ignore[arg-type]
    assert spec == Spec(blocks=(1, 1, 1, 1), classes=10)
    assert {type(spec.classes), *map(type, spec.blocks)} == {int}
