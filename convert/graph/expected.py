"""The graph of operators that a spec stands for, to compare a file with.

Source of the order: MXNet's example/image-classification/symbols/resnext.py, which the Caffe
networks follow too; for post-activation it is that of the original.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from convert.graph.operators import Kind
from convert.graph.recognition import CEIL_WINDOW
from resnext.layout import BatchNorm, Convolution, Layout, Linear, Residual, layout
from resnext.spec import Spec, StemPool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedOperator:
    """One operator of the expected graph.

    Attributes:
        kind, inputs: as `convert.graph.operators.Operator` has them; of an addition, the branch
            is the first input.
        settings: the values that are allowed, of those settings that have to have one.
        layer: that its arrays belong to; None of operators without, and of the input's batch norm.
    """

    kind: Kind
    inputs: tuple[int, ...] = ()
    settings: Mapping[str, frozenset[object]] = field(default_factory=dict)
    layer: Convolution | BatchNorm | Linear | None = None


# Settings of the stem's pool: (kernel, stride, padding), rounding of sizes.
POOLS: Final = {
    StemPool.PADDED: (((3, 3), (2, 2), (1, 1)), "down"),
    StemPool.CEIL: (CEIL_WINDOW, "up"),
}

# Of the last average pool: that of a picture of 1024 pixels, which the proof has to compute.
LARGEST_WINDOW: Final = 32


def expected_graph(
    spec: Spec, *, input_norm: bool, side: int | None = None
) -> tuple[ExpectedOperator, ...]:
    """Return the operators from the input to the logits, which are the last one's output.

    Args:
        spec: of a network with batch norm behind its convolutions.
        input_norm: a batch norm of the input comes first.
        side: of the input in pixels; None is that which the network was built for.
    """
    rows, graph = layout(spec), _Builder()
    at = graph.add(Kind.INPUT)
    if input_norm:
        at = graph.add(Kind.NORM, at)
    at = graph.convolve(rows.stem, at)
    if rows.stem_norm:
        at = graph.relu(graph.norm(rows.stem_norm, at))
    if rows.stem_pool:
        window, rounding = POOLS[rows.stem_pool]
        at = graph.add(Kind.MAX_POOL, at, window=window, rounding=rounding)
    for row in (row for stage in rows.stages for row in stage):
        at = graph.block(row, at)
    # The original's fixed window averages the whole map, of pictures of its own size.
    cells = _side_of_map(rows, side or spec.input_size)
    whole: set[object] = {None}
    if cells <= LARGEST_WINDOW:
        whole.add(((cells, cells), (1, 1), (0, 0)))
    windows = frozenset(whole)
    at = graph.append(
        ExpectedOperator(kind=Kind.AVERAGE_POOL, inputs=(at,), settings={"window": windows})
    )
    graph.add(Kind.LINEAR, at, layer=rows.classifier, outputs=rows.classifier.outputs)
    return tuple(graph.operators)


def _side_of_map(rows: Layout, side: int) -> int:
    """Return the side in cells of the map that is averaged, of an input of a side in pixels."""

    def convolved(row: Convolution, cells: int) -> int:
        return (cells + 2 * row.padding - row.kernel) // row.stride + 1

    cells = convolved(rows.stem, side)
    if rows.stem_pool:
        (kernel, _), (stride, _), (padding, _) = POOLS[rows.stem_pool][0]
        up = stride - 1 if rows.stem_pool is StemPool.CEIL else 0
        cells = (cells + 2 * padding - kernel + up) // stride + 1
    for stage in rows.stages:
        for row in (each for block in stage for each in block.convolutions):
            cells = convolved(row, cells)
    return cells


class _Builder:
    """Appends operators; each method returns the position of the last one."""

    def __init__(self) -> None:
        self.operators: list[ExpectedOperator] = []

    def append(self, operator: ExpectedOperator) -> int:
        self.operators.append(operator)
        return len(self.operators) - 1

    def add(
        self,
        kind: Kind,
        *inputs: int,
        layer: Convolution | BatchNorm | Linear | None = None,
        **settings: object,
    ) -> int:
        allowed = {name: frozenset({value}) for name, value in settings.items()}
        return self.append(
            ExpectedOperator(kind=kind, inputs=inputs, settings=allowed, layer=layer)
        )

    def convolve(self, row: Convolution, at: int) -> int:
        return self.add(
            Kind.CONVOLUTION,
            at,
            layer=row,
            outputs=row.outputs,
            groups=row.groups,
            kernel=(row.kernel, row.kernel),
            stride=(row.stride, row.stride),
            padding=(row.padding, row.padding),
            dilation=(1, 1),
        )

    def norm(self, row: BatchNorm, at: int) -> int:
        return self.add(Kind.NORM, at, layer=row)

    def relu(self, at: int) -> int:
        return self.add(Kind.RELU, at, slope=0.0)

    def block(self, row: Residual, start: int) -> int:
        at = start
        for number, (convolution, norm) in enumerate(zip(row.convolutions, row.norms, strict=True)):
            at = self.convolve(convolution, self.relu(at) if number else at)
            assert norm is not None, "graphs are expected of post-activation only"
            at = self.norm(norm, at)
        shortcut = start
        if row.projection and row.projection_norm:
            shortcut = self.norm(row.projection_norm, self.convolve(row.projection, start))
        return self.relu(self.add(Kind.ADD, at, shortcut, factors=(1.0, 1.0)))
