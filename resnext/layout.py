"""The layers of a spec, by name: one enumeration that builds, maps, checks and counts.

Names are those of torchvision. Layers that torchvision's networks do not have get names that a
strict load there refuses: `bn_add` (batch norm after the addition) and `bn_last` (after the last
pre-activation block).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod
from typing import Final

from resnext.spec import Block, Norm, Shortcut, Spec, Stem, StemPool

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution without bias.

    Attributes:
        reduction: side of the network's input over the side of this layer's output.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    reduction: int
    stride: int = 1
    groups: int = 1

    @property
    def padding(self) -> int:
        """Return the padding of each side, which keeps the size at stride 1."""
        return self.kernel // 2

    def tensors(self) -> dict[str, Shape]:
        """Return the shape of each tensor by name."""
        shape = (self.outputs, self.inputs // self.groups, self.kernel, self.kernel)
        return {f"{self.name}.weight": shape}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm:
    """A batch norm with weight and bias."""

    name: str
    width: int

    def tensors(self) -> dict[str, Shape]:
        """Return the shape of each tensor by name; the last is a counter, int64."""
        vectors = ("weight", "bias", "running_mean", "running_var")
        shapes: dict[str, Shape] = {f"{self.name}.{vector}": (self.width,) for vector in vectors}
        return {**shapes, f"{self.name}.num_batches_tracked": ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """The classifier."""

    name: str
    inputs: int
    outputs: int

    def tensors(self) -> dict[str, Shape]:
        """Return the shape of each tensor by name."""
        return {
            f"{self.name}.weight": (self.outputs, self.inputs),
            f"{self.name}.bias": (self.outputs,),
        }


Layer = Convolution | BatchNorm | Linear

# Side of the input over the side behind the stem's max-pool.
POOLED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One residual block.

    Attributes:
        name: e.g. `layer1.0`.
        convolutions: two (basic) or three (bottleneck), in order.
        norms: the batch norm after each convolution (Norm.POST; Norm.AFTER_ADD has none after the
            last) or before each (Norm.PRE_BRANCH; Norm.PRE has none in front of the first
            convolution of the network's first block if the stem ends with one).
        projection: the shortcut's convolution, if it has one.
        projection_norm: the batch norm after it (Norm.POST, Norm.PRE_BRANCH).
        norm_add: the batch norm after the addition (Norm.AFTER_ADD).
        pads: the shortcut is a strided identity, padded with zeros to the width (shortcut A).
        shared_preactivation: the branch and the shortcut both take the output of the first batch
            norm (Norm.PRE, first block of a stage: fb.resnet.torch's `both_preact`).
    """

    name: str
    stride: int
    outputs: int
    convolutions: tuple[Convolution, ...]
    norms: tuple[BatchNorm | None, ...]
    projection: Convolution | None
    projection_norm: BatchNorm | None
    norm_add: BatchNorm | None
    pads: bool
    shared_preactivation: bool

    def layers(self) -> Iterator[Layer]:
        """Yield the layers that hold tensors."""
        optional = (self.projection, self.projection_norm, self.norm_add)
        for layer in (*self.convolutions, *self.norms, *optional):
            if layer is not None:
                yield layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layers of a whole network; None is a layer of the stem or the end that it does not have.

    The pool has no tensors.
    """

    stem: Convolution
    stem_norm: BatchNorm | None
    stem_pool: StemPool | None
    stages: tuple[tuple[Residual, ...], ...]
    last_norm: BatchNorm | None
    classifier: Linear

    def layers(self) -> Iterator[Layer]:
        """Yield every layer that holds tensors, from the input to the logits."""
        yield self.stem
        if self.stem_norm:
            yield self.stem_norm
        for stage in self.stages:
            for block in stage:
                yield from block.layers()
        if self.last_norm:
            yield self.last_norm
        yield self.classifier

    def tensors(self) -> dict[str, Shape]:
        """Return the shape of every tensor of the network, by name."""
        return {name: shape for layer in self.layers() for name, shape in layer.tensors().items()}

    def parameters(self) -> int:
        """Count the trained parameters (running statistics are not among them)."""
        return sum(
            prod(shape)
            for name, shape in self.tensors().items()
            if name.rsplit(".", 1)[-1] in ("weight", "bias")
        )

    def multiply_adds(self, size: int) -> int:
        """Count the multiply-adds of the convolutions and the classifier for one picture.

        Args:
            size: the picture's side in pixels; any, as the pooling before the classifier adapts.
        """
        total = self.classifier.inputs * self.classifier.outputs
        for layer in self.layers():
            if isinstance(layer, Convolution):
                side = ceil(size / layer.reduction)
                if self.stem_pool is StemPool.CEIL and layer.reduction >= POOLED:
                    # Without padding a pool of an odd side leaves one pixel less.
                    side = ceil((ceil(size / 2) // 2) / (layer.reduction // POOLED))
                total += prod(layer.tensors()[f"{layer.name}.weight"]) * side * side
        return total


def layout(spec: Spec) -> Layout:
    """Enumerate the layers of the network that `spec` describes."""
    imagenet, pre = spec.stem is Stem.IMAGENET, spec.norm.is_pre
    kernel, stride = (7, 2) if imagenet else (3, 1)
    stages: list[tuple[Residual, ...]] = []
    inputs, reduction = spec.stem_width, POOLED if imagenet else 1
    for index, count in enumerate(spec.blocks):
        stage: list[Residual] = []
        for position in range(count):
            reduction *= 2 if index and not position else 1
            stage.append(_residual(spec, index, position, inputs=inputs, reduction=reduction))
            inputs = stage[-1].outputs
        stages.append(tuple(stage))
    return Layout(
        stem=Convolution(
            name="conv1",
            inputs=3,
            outputs=spec.stem_width,
            kernel=kernel,
            stride=stride,
            reduction=stride,
        ),
        # fb.resnet.torch's pre-activation networks for CIFAR begin with it in their first block.
        stem_norm=BatchNorm(name="bn1", width=spec.stem_width) if imagenet or not pre else None,
        stem_pool=spec.stem_pool if imagenet else None,
        stages=tuple(stages),
        last_norm=BatchNorm(name="bn_last", width=spec.features) if pre else None,
        classifier=Linear(name="fc", inputs=spec.features, outputs=spec.classes),
    )


def _residual(spec: Spec, stage: int, position: int, *, inputs: int, reduction: int) -> Residual:
    name = f"{spec.stage_names[stage]}.{position}"
    stride = 2 if stage and not position else 1
    outputs = spec.width(stage) * spec.expansion
    widens = inputs != outputs or stride != 1
    projection = projection_norm = norm_add = None
    if _projects(spec.shortcut, widens=widens, first=not position):
        projection = Convolution(
            name=f"{name}.downsample.0",
            inputs=inputs,
            outputs=outputs,
            kernel=1,
            stride=stride,
            reduction=reduction,
        )
        if spec.norm in (Norm.POST, Norm.PRE_BRANCH):
            projection_norm = BatchNorm(name=f"{name}.downsample.1", width=outputs)
    if spec.norm is Norm.AFTER_ADD:
        norm_add = BatchNorm(name=f"{name}.bn_add", width=outputs)
    convolutions = _convolutions(
        spec, stage, name=name, inputs=inputs, stride=stride, reduction=reduction
    )
    # Norm.PRE: the first block needs no batch norm in front if the stem ends with one.
    follows_norm = not stage and not position and spec.stem is Stem.IMAGENET
    return Residual(
        name=name,
        stride=stride,
        outputs=outputs,
        convolutions=convolutions,
        norms=_norms(spec, convolutions, name=name, follows_norm=follows_norm),
        projection=projection,
        projection_norm=projection_norm,
        norm_add=norm_add,
        pads=spec.shortcut is Shortcut.A and inputs != outputs,
        shared_preactivation=spec.norm is Norm.PRE and not position and not follows_norm,
    )


def _projects(shortcut: Shortcut, *, widens: bool, first: bool) -> bool:
    """Tell whether a block has a projection, by its place in the stage and its widths."""
    match shortcut:
        case Shortcut.A:
            return False
        case Shortcut.B:
            return widens
        case Shortcut.C:
            return True
        case Shortcut.FIRST:
            return first or widens


def _convolutions(
    spec: Spec, stage: int, *, name: str, inputs: int, stride: int, reduction: int
) -> tuple[Convolution, ...]:
    """List a block's convolutions; the stride is in the first 3x3."""
    planes = spec.width(stage)
    rows: tuple[tuple[int, int, int, int, int], ...]
    if spec.block is Block.BASIC:
        rows = ((inputs, planes, 3, stride, 1), (planes, planes, 3, 1, 1))
    else:
        width = spec.group_width(stage) * spec.cardinality
        rows = (
            (inputs, width, 1, 1, 1),
            (width, width, 3, stride, spec.cardinality),
            (width, planes * spec.expansion, 1, 1, 1),
        )
    before = reduction // stride  # the 1x1 before the strided 3x3 works on the larger map
    return tuple(
        Convolution(
            name=f"{name}.conv{number}",
            inputs=row_inputs,
            outputs=row_outputs,
            kernel=kernel,
            stride=row_stride,
            groups=groups,
            reduction=before if number == 1 and row_stride != stride else reduction,
        )
        for number, (row_inputs, row_outputs, kernel, row_stride, groups) in enumerate(rows, 1)
    )


def _norms(
    spec: Spec, convolutions: tuple[Convolution, ...], *, name: str, follows_norm: bool
) -> tuple[BatchNorm | None, ...]:
    norms: list[BatchNorm | None] = [
        BatchNorm(name=f"{name}.bn{number}", width=row.inputs if spec.norm.is_pre else row.outputs)
        for number, row in enumerate(convolutions, 1)
    ]
    if spec.norm is Norm.AFTER_ADD:
        norms[-1] = None
    if spec.norm is Norm.PRE and follows_norm:
        norms[0] = None  # fb.resnet.torch's `no_preact`
    return tuple(norms)
