"""Recognises the spec of a graph of operators from a few of its numbers.

Nothing is proven here: `comparison` compares the whole graph with the one expected for the spec.
"""

from dataclasses import dataclass
from typing import Final

from convert.graph.operators import Graph, Kind, Operator
from convert.source.errors import StructureError
from resnext.errors import SpecError
from resnext.spec import Block, Shortcut, Spec, Stem, StemPool

# Operators on one way of a block, from its addition to the start of the network: eight of a
# bottleneck, five of the stem, and one to see that there are more.
LONGEST_WAY: Final = 16
# Kernel, stride and padding of the stem's max-pool in Caffe's networks.
CEIL_WINDOW: Final = ((3, 3), (2, 2), (0, 0))


@dataclass(frozen=True, slots=True)
class Fork:
    """A residual block, as its addition shows it.

    Attributes:
        branch: its convolutions, from its input to its output.
        projection: the convolutions of its shortcut.
        first: which input of the addition is the branch, 0 or 1.
    """

    branch: tuple[Operator, ...]
    projection: tuple[Operator, ...]
    first: int

    @property
    def strided(self) -> bool:
        """Tell whether its output is smaller than its input."""
        return any(each.pair("stride") != (1, 1) for each in self.branch)


def find_fork(graph: Graph, addition: int) -> Fork:
    """Return the block that ends with an addition.

    Raises:
        StructureError: its two inputs do not lead back to one operator, or have as many
            convolutions each.
    """
    operator = graph.operators[addition]
    if len(operator.inputs) != 2:
        raise StructureError(
            f"{operator.place}: an addition of two inputs expected, found {len(operator.inputs)}"
        )
    ways = [graph.back(start, LONGEST_WAY) for start in operator.inputs]
    joint = next((at for at in ways[0] if at in ways[1]), None)
    if joint is None:
        raise StructureError(f"{operator.place}: a branch and a shortcut of one input expected")
    found = [
        tuple(
            graph.operators[at]
            for at in reversed(way[: way.index(joint)])
            if graph.operators[at].kind is Kind.CONVOLUTION
        )
        for way in ways
    ]
    if len(found[0]) == len(found[1]):
        raise StructureError(
            f"{operator.place}: a branch and a shortcut with fewer convolutions expected, found "
            f"{len(found[0])} in both"
        )
    first = int(len(found[1]) > len(found[0]))
    return Fork(found[first], found[1 - first], first)


def recognise(graph: Graph) -> Spec:
    """Read the spec from the forks of a graph.

    Raises:
        StructureError: there are no residual blocks, or numbers that no network of the family has.
    """
    forks = [find_fork(graph, addition) for addition in graph.of_kind(Kind.ADD)]
    linear = next(graph.of_kind(Kind.LINEAR), None)
    if not forks or linear is None:
        missing = "residual blocks" if not forks else "a fully connected layer at the end"
        raise StructureError(f"{missing} expected, found none; no ResNeXt or ResNet: not converted")
    stem = graph.operators[next(graph.of_kind(Kind.CONVOLUTION))]
    sizes = {len(fork.branch) for fork in forks}
    if sizes not in ({2}, {3}):
        raise StructureError(
            "two convolutions in every branch (basic) or three (bottleneck) expected, found "
            f"{' and '.join(str(size) for size in sorted(sizes))}"
        )
    basic = sizes == {2}
    starts = [at for at, fork in enumerate(forks) if fork.strided or not at]
    ends = [*starts[1:], len(forks)]
    outputs = [forks[at].branch[-1].count("outputs") for at in starts]
    planes = tuple(count if basic else count // 4 for count in outputs)
    groups = 1 if basic else forks[0].branch[1].count("groups")
    width = planes[0] if basic else forks[0].branch[0].count("outputs")
    try:
        return Spec(
            blocks=tuple(end - start for start, end in zip(starts, ends, strict=True)),
            stem=Stem.IMAGENET if min(stem.pair("kernel")) > 3 else Stem.CIFAR,
            block=Block.BASIC if basic else Block.BOTTLENECK,
            shortcut=_shortcut(forks, starts, stem.count("outputs")),
            cardinality=groups,
            base_width=width // groups,
            planes=planes[0],
            stem_width=stem.count("outputs"),
            classes=graph.operators[linear].count("outputs"),
            stem_pool=_stem_pool(graph),
            stage_planes=planes,
        )
    except SpecError as error:
        raise StructureError(f"{error}; no ResNeXt or ResNet: not converted") from error


def _stem_pool(graph: Graph) -> StemPool:
    for pool in graph.of_kind(Kind.MAX_POOL):
        window = graph.operators[pool].settings["window"]
        return StemPool.CEIL if window == CEIL_WINDOW else StemPool.PADDED
    return StemPool.PADDED


def _shortcut(forks: list[Fork], starts: list[int], stem_width: int) -> Shortcut:
    """Return the kind of shortcut that has the projections that were found; B if none has."""
    widths = [stem_width, *(fork.branch[-1].count("outputs") for fork in forks)]
    widens = [fork.strided or widths[at] != widths[at + 1] for at, fork in enumerate(forks)]
    found = [bool(fork.projection) for fork in forks]
    if found == widens:
        return Shortcut.B
    if all(found):
        return Shortcut.C
    return Shortcut.FIRST if found == [at in starts for at in range(len(forks))] else Shortcut.B
