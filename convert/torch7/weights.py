"""Turns the tensors of modules into the tensors of layers: checks, joins and folds them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from convert.source.errors import WeightError, first_of
from convert.source.source import NO_COUNTER
from convert.torch7.cursor import Array
from convert.torch7.objects import Tensor
from resnext.layout import BatchNorm, Convolution, Layout, Linear, Shape
from resnext.spec import Spec

Tensors = dict[str, Array]
WeightsByLayer = Mapping[str, list["ModuleWeights"]]

# The rules by which values are computed.
FOLDED: Final = "bias of a convolution folded into the batch norm behind it"
IDENTITY: Final = "batch norm that changes nothing put behind a projection without one"
CONVERTED: Final = "running_std of a batch norm of version 1 converted to a variance"


@dataclass(frozen=True, slots=True)
class ModuleWeights:
    """One module's weights.

    Attributes:
        place: of the module, for messages.
        tensors: by their Lua names; empty ones are left out.
    """

    place: str
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class MappedTensors:
    """The tensors of a network, by name.

    Attributes:
        tensors: of the network.
        conversions: a text for each kind of change to their values.
        computed: the names of those that are not in the file bit for bit -> the rule.
    """

    tensors: Tensors
    conversions: tuple[str, ...]
    computed: dict[str, str]


def layer_tensors(rows: Layout, spec: Spec, parts: WeightsByLayer) -> MappedTensors:
    """Return the network's tensors by name, and how their values were changed.

    Args:
        rows: the layers of the network.
        spec: decides which batch norm follows which convolution.
        parts: the modules that hold each layer's tensors; several are slices along the outputs.

    Raises:
        WeightError: a tensor is missing, misshapen, shared, not finite or impossible; all faults
            are gathered, the first is named.
    """
    # Overlaps are checked before values: tensors that share memory could make a small file's output
    # large.
    _refuse(list(_overlaps(parts)))
    collector = _Collector(parts, [], {}, {})
    for layer in rows.layers():
        match layer:
            case Convolution():
                collector.convolution(layer)
            case BatchNorm() if layer.name in parts:
                collector.batch_norm(layer)
            case Linear():
                collector.linear(layer)
    _refuse(collector.faults)
    # Only now it is certain that the file holds tensors of the sizes that it states.
    missing = [row for row in rows.layers() if isinstance(row, BatchNorm) and row.name not in parts]
    for layer in missing:
        collector.identity(layer)
    folded = collector.fold(dict(_followers(rows, spec)))
    _refuse(collector.faults)
    converted = sum("running_std" in part.tensors for row in parts.values() for part in row)
    conversions = (
        (folded, FOLDED),
        (len(missing), IDENTITY),
        (converted, CONVERTED),
    )
    texts = tuple(f"{text} ({count} times)" for count, text in conversions if count)
    return MappedTensors(collector.tensors, texts, collector.computed)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise WeightError(first_of(faults))


def _followers(rows: Layout, spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield (convolution, the batch norm that follows it directly, or after the addition)."""
    if rows.stem_norm:
        yield rows.stem.name, rows.stem_norm.name
    for block in (block for stage in rows.stages for block in stage):
        behind = (*block.norms[1:], None) if spec.norm.is_pre else block.norms
        pairs = [*zip(block.convolutions, behind, strict=True)]
        if block.projection:
            pairs.append((block.projection, block.projection_norm))
        for convolution, norm in pairs:
            if norm := norm or block.norm_add:
                yield convolution.name, norm.name


@dataclass(slots=True)
class _Collector:
    parts: WeightsByLayer
    faults: list[str]
    tensors: Tensors
    computed: dict[str, str]

    def convolution(self, layer: Convolution) -> None:
        [(name, shape)] = layer.tensors().items()
        self._join(layer.name, "weight", name, shape)

    def linear(self, layer: Linear) -> None:
        for name, shape in layer.tensors().items():
            self._join(layer.name, name.rsplit(".", 1)[1], name, shape)

    def batch_norm(self, layer: BatchNorm) -> None:
        for field in ("weight", "bias", "running_mean"):
            self._join(layer.name, field, f"{layer.name}.{field}", (layer.width,))
        variance = f"{layer.name}.running_var"
        parts = self.parts[layer.name]
        if all("running_var" in part.tensors for part in parts):
            self._join(layer.name, "running_var", variance, (layer.width,))
        else:  # version 1
            self._join(layer.name, "running_std", variance, (layer.width,))
            if variance in self.tensors:
                self._convert(variance, parts[0].place)
        if variance in self.tensors and np.less(self.tensors[variance], 0).any():
            self.faults.append(f"{parts[0].place}: a variance below zero")
        for part in parts:
            if "running_var" in part.tensors and "running_std" in part.tensors:
                self.faults.append(
                    f"{part.place}: running_var and running_std, one of the two expected"
                )
        self._count_no_batches(layer)

    def _count_no_batches(self, layer: BatchNorm) -> None:
        name = f"{layer.name}.num_batches_tracked"
        self.tensors[name] = np.zeros((), np.int64)
        self.computed[name] = NO_COUNTER

    def identity(self, layer: BatchNorm) -> None:
        """Store a batch norm without effect in place of one that the file does not have."""
        zeros, ones = np.zeros(layer.width, np.float32), np.ones(layer.width, np.float32)
        made = {
            f"{layer.name}.weight": ones,
            f"{layer.name}.bias": zeros,
            f"{layer.name}.running_mean": zeros,
            f"{layer.name}.running_var": ones - np.float32(EPS),
        }
        self.tensors |= made
        self.computed |= dict.fromkeys(made, IDENTITY)
        self._count_no_batches(layer)

    def _convert(self, variance: str, place: str) -> None:
        """Replace version 1's running_std, stored as the variance, by the variance."""
        running_std = self.tensors[variance]
        if np.less_equal(running_std, 0).any():
            self.faults.append(f"{place}: a running_std that is not above zero")
            return
        self.tensors[variance] = _variance(running_std)
        self.computed[variance] = CONVERTED
        if not np.isfinite(self.tensors[variance]).all():
            self.faults.append(f"{place}: a running_std too small, its variance is infinite")

    def _join(self, layer: str, field: str, name: str, shape: Shape) -> None:
        """Store a layer's tensor: the parts of one field, joined along the outputs."""
        parts = self.parts[layer]
        part_shape = (shape[0] // len(parts), *shape[1:])
        arrays = [
            array for part in parts if (array := self._array(part, field, part_shape)) is not None
        ]
        if len(arrays) == len(parts):
            self.tensors[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    def _array(self, part: ModuleWeights, field: str, shape: Shape) -> Array | None:
        """Return a field of a module in its shape; None, with a fault added, if unusable."""
        tensor = part.tensors.get(field)
        if tensor is None:
            self.faults.append(f"{part.place}: {field} is missing, {shape} expected")
            return None
        array = tensor.array
        if array.dtype.kind != "f":
            self.faults.append(f"{part.place}: {field} is a {tensor.type}, floats expected")
        elif array.shape != shape and array.shape != _flat(shape):
            self.faults.append(f"{part.place}: {field} is {array.shape}, {shape} expected")
        # Before the values are read: such an array may look larger than the memory.
        elif _reach(array) < array.nbytes:
            self.faults.append(f"{part.place}: {field} repeats elements of its storage")
        elif not np.isfinite(array).all():
            self.faults.append(
                f"{part.place}: {field} holds NaN or infinity; the training diverged or the file "
                "is damaged, convert an earlier checkpoint"
            )
        else:
            return array.reshape(shape)
        return None

    def fold(self, followers: Mapping[str, str]) -> int:
        """Subtract the biases of convolutions from the means of the batch norms behind them.

        norm(x + b) with mean m equals norm(x) with mean m - b, up to the rounding of that number.
        """
        count = 0
        for layer, parts in self.parts.items():
            weight = self.tensors.get(f"{layer}.weight")
            if weight is None or weight.ndim != 4 or not any("bias" in p.tensors for p in parts):
                continue
            outputs = weight.shape[0] // len(parts)
            biases = [self._array(part, "bias", (outputs,)) for part in parts]
            arrays = [bias for bias in biases if bias is not None]
            if len(arrays) != len(parts):
                continue
            bias, place = np.concatenate(arrays), parts[0].place
            if norm := followers.get(layer):
                self._subtract(norm, bias, place)
                count += len(arrays)
            elif bias.any():
                self.faults.append(
                    f"{place}: a bias that is not zero, with no batch norm behind to fold it into"
                )
        return count

    def _subtract(self, norm: str, bias: Array, place: str) -> None:
        name = f"{norm}.running_mean"
        if name not in self.tensors:
            return
        mean = self.tensors[name]
        with np.errstate(over="ignore"):
            folded = np.subtract(mean, bias, dtype=np.float64).astype(_at_least_float32(mean))
        if not np.isfinite(folded).all():
            self.faults.append(f"{place}: a bias too large for the batch norm behind it")
        self.tensors[name] = folded
        self.computed[name] = FOLDED


def _flat(shape: Shape) -> Shape:
    """Return the 2-D shape in which nn.SpatialConvolutionMM stores a kernel."""
    return (shape[0], shape[1] * shape[2] * shape[3]) if len(shape) == 4 else shape


def _variance(running_std: Array) -> Array:
    """Return the variance of version 1's (variance + 1e-5) ** -0.5; a rounding below 0 gives 0."""
    with np.errstate(over="ignore"):
        variance = np.power(running_std, -2.0, dtype=np.float64) - EPS
        variance[(variance < 0) & (variance > -1e-6 * EPS)] = 0
        return variance.astype(_at_least_float32(running_std))


def _at_least_float32(array: Array) -> np.dtype[np.generic]:
    """Return the dtype of converted values: half precision would round them once more."""
    return np.promote_types(array.dtype, np.float32)


EPS = 1e-5


def _reach(array: Array) -> int:
    """Return the bytes from an array's first element to the end of its last."""
    steps: int = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True))
    return steps + array.itemsize


def _overlaps(parts: WeightsByLayer) -> Iterator[str]:
    """Yield a message for each weight that shares memory with another."""
    spans = []
    for part in (part for row in parts.values() for part in row):
        for name, tensor in part.tensors.items():
            array = tensor.array
            start = array.__array_interface__["data"][0]
            spans.append((start, start + _reach(array), f"{part.place}: {name}"))
    spans.sort()
    for (_, end, first), (start, _, second) in pairwise(spans):
        if start < end:
            yield f"{second} shares memory with {first}; no network of the family shares weights"
