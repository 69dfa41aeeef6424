"""Maps the arrays of a state dict to a spec and named tensors, or refuses them by name.

The spec is read from the shapes of a few tensors; then every name is written from the spec by the
layout's table, and matched both ways. Shapes tell neither strides nor dilations: a layout's own are
taken, which are the original's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from convert.pytorch.foreign import check_modules
from convert.pytorch.naming import Family, Naming, namings
from convert.source.arrays import matched_arrays
from convert.source.errors import StructureError, WeightError
from convert.source.source import Array
from resnext.errors import SpecError
from resnext.fields import cut
from resnext.layout import Shape, layout
from resnext.spec import Block, Spec, Stem

COUNTER: Final = "num_batches_tracked"
LEAST_STAGES: Final = 3
STEMS: Final = {7: Stem.IMAGENET, 3: Stem.CIFAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedState:
    """A state dict whose names all have their places.

    Attributes:
        spec: of the network.
        naming: the layout.
        tensors: by our names.
    """

    spec: Spec
    naming: Naming
    tensors: Mapping[str, Array]


def map_arrays(arrays: Mapping[str, Array], *, spec: Spec | None = None) -> MappedState:
    """Map the arrays of a state dict.

    Args:
        arrays: by the file's names, without those that are left behind.
        spec: where the file states it; None reads it from the shapes.

    Raises:
        ForeignModuleError: a module that the family does not have.
        StructureError: the names are of no known layout, or the shapes of no network of the family.
        WeightError: a tensor is missing, misshapen, unexpected, not finite or impossible.
    """
    check_modules(arrays)
    naming = find_naming(arrays)
    spec = spec or recognise(arrays, naming)
    shapes = layout(spec).tensors()
    counters = {name: naming.name(name) for name in shapes if name.endswith(COUNTER)}
    wanted = {
        name: (naming.name(name), shape) for name, shape in shapes.items() if name not in counters
    }
    theirs = set(counters.values())
    tensors = matched_arrays(wanted, {n: each for n, each in arrays.items() if n not in theirs})
    return MappedState(
        spec=spec,
        naming=naming,
        tensors={
            name: _counter(counters[name], arrays) if name in counters else tensors[name]
            for name in shapes
        },
    )


def _counter(name: str, arrays: Mapping[str, Array]) -> Array:
    """Return a counter of batches; files of PyTorch before version 0.4.1 have none."""
    found = arrays.get(name, np.zeros((), np.int64))
    if found.shape not in ((), (1,)) or found.dtype.kind not in "iu":
        raise WeightError(
            f"{cut(name)}: one whole number expected, found {found.dtype.name} "
            f"{cut(str(found.shape))}"
        )
    return found.reshape(()).astype(np.int64, copy=False)


def find_naming(arrays: Mapping[str, Array]) -> Naming:
    """Return the layout that has the names of a state dict.

    Raises:
        StructureError: none has.
    """
    fitting = [
        naming
        for naming in namings()
        if naming.name("conv1.weight") in arrays and naming.name("layer1.0.conv2.weight") in arrays
    ]
    whole = [naming for naming in fitting if naming.name("fc.weight") in arrays]
    if not fitting:
        raise StructureError(
            f"the names of torchvision's, timm's, Cadene's, clcarwin's or prlz77's ResNeXts and "
            f"ResNets expected, found {', '.join(cut(name) for name in list(arrays)[:3])} ..."
        )
    return (whole or fitting)[0]


def recognise(arrays: Mapping[str, Array], naming: Naming) -> Spec:
    """Read the spec from the shapes of the stem, of each block's place and of the classifier.

    Raises:
        StructureError: they are of no network of the family.
        WeightError: one of these tensors is missing, or has another number of axes.
    """
    stem = _shape(arrays, naming.name("conv1.weight"), 4)
    classes = _shape(arrays, naming.name("fc.weight"), 2)[0]
    first = _shape(arrays, naming.name("layer1.0.conv1.weight"), 4)
    second = _shape(arrays, naming.name("layer1.0.conv2.weight"), 4)
    basic = naming.name("layer1.0.conv3.weight") not in arrays
    last = second if basic else _shape(arrays, naming.name("layer1.0.conv3.weight"), 4)
    width, of_group = first[0], second[1]
    if not basic and (of_group < 1 or width % of_group):
        raise StructureError(
            f"{naming.name('layer1.0.conv2.weight')}: groups of equal width expected, found "
            f"{of_group} inputs each of {width}"
        )
    if stem[-1] not in STEMS:
        raise StructureError(
            f"{naming.name('conv1.weight')}: a kernel of 7 or 3 expected, found {stem[-1]}"
        )
    blocks = _blocks(arrays, naming)
    kind = STEMS[stem[-1]]
    _check_pool(naming, kind, len(blocks))
    planes = last[0] if basic else last[0] // 4
    try:
        return Spec(
            blocks=blocks,
            stem=kind,
            block=Block.BASIC if basic else Block.BOTTLENECK,
            cardinality=1 if basic else width // of_group,
            base_width=planes if basic else of_group,
            planes=planes,
            stem_width=stem[0],
            classes=classes,
        )
    except SpecError as error:
        next_stage = naming.name(f"layer{len(blocks) + 1}.0.conv1.weight")
        missing = f"; {next_stage} is missing" if len(blocks) < LEAST_STAGES else ""
        raise StructureError(f"{error}{missing}") from error


def _blocks(arrays: Mapping[str, Array], naming: Naming) -> tuple[int, ...]:
    """Count the blocks of each stage, by the names of their first convolutions."""
    counts: list[int] = []
    while True:
        count = 0
        while naming.name(f"layer{len(counts) + 1}.{count}.conv1.weight") in arrays:
            count += 1
        if not count:
            return tuple(counts)
        counts.append(count)


def _check_pool(naming: Naming, stem: Stem, stages: int) -> None:
    """Check that the layout tells whether a max-pool follows the stem, which no tensor shows."""
    pooled = stem is Stem.IMAGENET
    if naming.family is Family.NESTED and pooled != (naming.first_stage == 4):
        raise StructureError(
            f"a stem with {'a' if pooled else 'no'} max-pool expected in front of the first stage, "
            f"found it numbered {naming.first_stage}"
        )
    if naming.family is Family.TORCHVISION and not pooled and stages > 3:
        raise StructureError(
            f"conv1.weight: a kernel of 7 expected in front of {stages} stages, found one of 3; "
            "the file does not tell whether a max-pool follows it, and a guess is not converted"
        )
    if naming.family is Family.PRLZ77 and (pooled or stages != 3):
        raise StructureError("a stem of one 3x3 convolution and three stages expected")


def _shape(arrays: Mapping[str, Array], name: str, axes: int) -> Shape:
    if name not in arrays:
        raise WeightError(f"{name} is missing")
    shape = arrays[name].shape
    if len(shape) != axes:
        raise WeightError(f"{name}: {axes} axes expected, found {cut(str(shape))}")
    return shape
