"""Recognises the spec of a module tree from a few of its numbers.

Nothing is proven here: `mapping` compares the whole tree with the one expected for the spec.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from convert.source.errors import ForeignModuleError, StructureError
from convert.torch7.expected_tree import TreeForm
from convert.torch7.lua_classes import KINDS
from convert.torch7.objects import text
from convert.torch7.tree import Module
from resnext.errors import SpecError
from resnext.spec import Block, Norm, Shortcut, Spec, Stem


@dataclass(frozen=True, slots=True)
class RecognisedSpec:
    """A spec and the variant of the tree in which the file holds it.

    Attributes:
        form: the variant.
    """

    spec: Spec
    form: TreeForm


def recognise(network: Module) -> RecognisedSpec:
    """Read the spec from the outline of a tree and its first block.

    Raises:
        ForeignModuleError: a class that no network of the family has; names each place.
        StructureError: the outline is not that of a network of the family.
    """
    foreign = [module.place for module in network.walk() if module.type not in KINDS]
    if foreign:
        raise ForeignModuleError(
            f"{_some(foreign)}: no layer of the ResNeXt and ResNet family, "
            "and leaving it out would change the answers; not converted"
        )
    stages = [module for module in network.modules if kind(module) == "Sequential"]
    blocks = [list(stage.modules) for stage in stages]
    if not blocks or not all(blocks):
        raise StructureError(f"{network.place}: stages of residual blocks expected, found none")
    stem, classifier = network.modules[0], network.modules[-1]
    forks = [_fork(block) for stage in blocks for block in stage]
    first = forks[0]
    convolutions, branches = _convolutions(first.modules[0])
    basic = len(convolutions) == 2
    out = _count(convolutions[-1], "nOutputPlane")
    planes = out if basic else out // 4
    groups = branches or _count(convolutions[1], "groups", default=1)
    width = planes if basic else _count(convolutions[0], "nOutputPlane")
    try:
        spec = Spec(
            blocks=tuple(len(stage) for stage in blocks),
            stem=Stem.IMAGENET if _count(stem, "kW") > 3 else Stem.CIFAR,
            block=Block.BASIC if basic else Block.BOTTLENECK,
            norm=_norm(network, blocks[0][0]),
            shortcut=_shortcut(forks),
            cardinality=1 if basic else groups,
            base_width=width if branches or basic else width // max(groups, 1),
            planes=planes,
            stem_width=_count(stem, "nOutputPlane"),
            classes=_classes(classifier),
        )
    except SpecError as error:
        raise StructureError(f"{network.place}: {error}") from error
    wrapped, normed = _projection(forks)
    return RecognisedSpec(spec, TreeForm(branches=branches > 0, wrapped=wrapped, normed=normed))


def kind(module: Module) -> str:
    """Return the kind of a module whose class is known to be in the family."""
    return KINDS[module.type]


def _fork(block: Module) -> Module:
    """Return the ConcatTable of a residual block: the branch and its shortcut."""
    for module in block.modules:
        if kind(module) == "ConcatTable" and len(module.modules) == 2:
            return module
    raise StructureError(f"{block.place}: a branch and a shortcut expected")


def _convolutions(branch: Module) -> tuple[Sequence[Module], int]:
    """Return the branch's convolutions, and the number of form B's branches (0 in form C)."""
    split = [module for module in branch.modules if kind(module) == "ConcatTable"]
    parts = [module for module in split for module in module.modules]
    found = [
        module
        for module in (*(parts[0].modules if parts else ()), *branch.modules)
        if kind(module) == "SpatialConvolution"
    ]
    if len(found) not in (2, 3) or (parts and len(found) != 3):
        raise StructureError(
            f"{branch.place}: two convolutions (basic) or three (bottleneck) expected, "
            f"found {len(found)}"
        )
    return found, len(parts)


def _norm(network: Module, block: Module) -> Norm:
    kinds = [kind(module) for module in network.modules]
    if "SpatialBatchNormalization" in kinds[kinds.index("Sequential") :]:
        return _pre_norm(network)
    behind = [kind(module) for module in block.modules]
    return Norm.AFTER_ADD if "SpatialBatchNormalization" in behind else Norm.POST


def _pre_norm(network: Module) -> Norm:
    """Return the kind of pre-activation, which the first block of the second stage shows."""
    stages = [module for module in network.modules if kind(module) == "Sequential"]
    block = stages[min(1, len(stages) - 1)].modules[0]
    before_fork = kind(block.modules[0]) == "SpatialBatchNormalization"
    return Norm.PRE if before_fork else Norm.PRE_BRANCH


def _projection(forks: list[Module]) -> tuple[bool, bool]:
    """Tell whether projections are wrapped in a Sequential, and whether batch norm follows them.

    The first projection decides; the comparison of the trees checks the others.
    """
    for fork in forks:
        kinds = [kind(module) for module in fork.modules[1].walk()]
        if "SpatialConvolution" in kinds:
            return kinds[0] == "Sequential", "SpatialBatchNormalization" in kinds
    return True, True


def _shortcut(forks: list[Module]) -> Shortcut:
    shortcuts = [module for fork in forks for module in fork.modules[1].walk()]
    if any(kind(module) == "Concat" for module in shortcuts):
        return Shortcut.A
    for module in shortcuts:
        if kind(module) == "SpatialConvolution" and _count(module, "nInputPlane") == _count(
            module, "nOutputPlane"
        ):
            return Shortcut.C  # a projection where B has none
    return Shortcut.B


def _classes(classifier: Module) -> int:
    weight = classifier.tensor("weight")
    if kind(classifier) != "Linear" or weight is None:
        raise StructureError(f"{classifier.place}: a classifier (nn.Linear) expected at the end")
    return int(weight.array.shape[0])


def _count(module: Module, name: str, *, default: int | None = None) -> int:
    value = module.fields.get(name, default)
    if not isinstance(value, int | float) or not (abs(value) < 2**31 and value == int(value)):
        raise StructureError(f"{module.place}: {name} must be a whole number, found {text(value)}")
    return int(value)


def _some(places: list[str]) -> str:
    """List the first three places, and the number of the others."""
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(places[:3]) + more
