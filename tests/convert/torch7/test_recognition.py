"""What a tree claims to be: read off its outline, and nothing else is needed to be wrong."""

import copy
import math
from typing import Any

import pytest

from convert.source.errors import ForeignModuleError, StructureError
from convert.torch7 import file as t7
from convert.torch7.recognition import recognise
from convert.torch7.tree import find_network
from resnext.spec import Block, Norm, Shortcut, Spec, Stem
from tests.support.lua_nets import at, children, net
from tests.support.t7_writer import Object, dumps


def claim(model: Object) -> Spec:
    return recognise(find_network(t7.loads(dumps(model)).root)).spec


IMAGENET = {"stem_kind": "imagenet", "counts": (1, 2, 1, 1)}
PRE = {"pre": True, **IMAGENET}


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({}, "blocks", (1, 1, 1)),
        ({"counts": (1, 2, 3)}, "blocks", (1, 2, 3)),
        (IMAGENET, "blocks", (1, 2, 1, 1)),
        ({}, "stem", Stem.CIFAR),
        (IMAGENET, "stem", Stem.IMAGENET),
        ({}, "block", Block.BOTTLENECK),
        ({"block": "basic"}, "block", Block.BASIC),
        ({}, "norm", Norm.POST),
        ({"bn_after_add": True}, "norm", Norm.AFTER_ADD),
        ({"pre": True}, "norm", Norm.PRE),
        (PRE, "norm", Norm.PRE),
        ({"pre": True, "pre_branch": True}, "norm", Norm.PRE_BRANCH),
        ({**PRE, "pre_branch": True}, "norm", Norm.PRE_BRANCH),
        ({}, "shortcut", Shortcut.B),
        ({"block": "basic", "shortcut": "A"}, "shortcut", Shortcut.A),
        ({"shortcut": "C", "counts": (2, 1, 1)}, "shortcut", Shortcut.C),
        ({"block": "basic", "shortcut": "C"}, "shortcut", Shortcut.C),
        ({"cardinality": 4}, "cardinality", 4),
        ({"cardinality": 4, "block": "resnext_B"}, "cardinality", 4),
        ({"cardinality": 1, "block": "resnext_B"}, "cardinality", 1),
        ({"block": "resnet"}, "cardinality", 1),
        ({"base_width": 2}, "base_width", 2),
        ({"base_width": 2, "block": "resnext_B"}, "base_width", 2),
        ({"block": "resnet"}, "base_width", 4),
        ({"block": "basic", "base": 6}, "base_width", 6),
        ({"base": 8, "base_width": 8}, "planes", 8),
        ({"stem": 6}, "stem_width", 6),
        ({"classes": 17}, "classes", 17),
    ],
    ids=str,
)
def test_tree_claims_what_it_was_built_with(
    options: dict[str, Any], attribute: str, value: Any
) -> None:
    assert getattr(claim(net(**options)), attribute) == value


def test_foreign_modules_are_all_named_up_to_three() -> None:
    model = net()
    for number in (2, 3, 7, 8):
        at(model, number).type = "nn.SpatialDropout"
    with pytest.raises(
        ForeignModuleError,
        match=r"^model\.modules\[2\] \(nn\.SpatialDropout @ byte \d+\), "
        r"model\.modules\[3\] .*, model\.modules\[7\] .* and 1 more: ",
    ):
        claim(model)


@pytest.mark.parametrize(
    "name", ["nn.SoftMax", "nn.PReLU", "cudnn.SpatialCrossMapLRN", "my.Layer", "Sequential", "nn"]
)
def test_foreign_module_is_refused(name: str) -> None:
    model = net()
    children(model).append(Object(name))
    with pytest.raises(ForeignModuleError, match=rf"model\.modules\[10\] \({name} @ byte"):
        claim(model)


SIZES = [math.inf, -math.inf, math.nan, 0.5, "8", 0, -8]


@pytest.mark.parametrize("value", [*SIZES, None], ids=repr)
@pytest.mark.parametrize("numbers", [(1,), (4, 1, 1, 1, 1), (4, 1, 1, 1, 7)], ids=str)
def test_impossible_width_is_refused(numbers: tuple[int, ...], value: Any) -> None:
    model = net()
    at(model, *numbers).fields["nOutputPlane"] = value
    with pytest.raises(StructureError, match=r"^model"):
        claim(model)


@pytest.mark.parametrize("value", SIZES, ids=repr)
def test_impossible_number_of_groups_is_refused(value: Any) -> None:
    model = net()
    at(model, 4, 1, 1, 1, 4).fields["groups"] = value
    with pytest.raises(StructureError, match=r"^model"):
        claim(model)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 0.5, "8", None], ids=repr)
@pytest.mark.parametrize(
    ("numbers", "name"), [((1,), "kW"), ((4, 1, 1, 2, 1), "nInputPlane")], ids=["kW", "nInputPlane"]
)
def test_size_that_is_no_whole_number_is_refused(
    numbers: tuple[int, ...], name: str, value: Any
) -> None:
    model = net()
    at(model, *numbers).fields[name] = value
    with pytest.raises(StructureError, match=f"^model.*{name} must be a whole number"):
        claim(model)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_number_of_stages_outside_the_family_is_refused(count: int) -> None:
    with pytest.raises(StructureError, match=r"^model \(.*three or four stages"):
        claim(net(counts=(1,) * count))


def test_shortcut_a_with_bottlenecks_is_refused() -> None:
    """The original cannot build it either."""
    model = net(counts=(1, 1, 1))
    other = net(block="basic", shortcut="A")
    children(at(model, 5, 1, 1))[1] = copy.deepcopy(at(other, 5, 1, 1, 2))
    with pytest.raises(StructureError, match="shortcut A exists for basic blocks only"):
        claim(model)
