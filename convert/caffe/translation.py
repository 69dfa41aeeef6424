"""A prototxt's layers with the blobs of a caffemodel, in the terms of `convert.graph`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from convert.caffe.layers import FLAG, WHOLE, Layer
from convert.caffe.model import CaffeModel, LayerBlobs
from convert.caffe.rules import DATA, RULES, read_input
from convert.caffe.settings import TYPES, check_fields, require
from convert.graph.operators import Graph, InputNorm, Kind, Operator, counted_changes
from convert.source.errors import StructureError, WeightError, first_of
from convert.source.source import Array
from resnext.fields import shown

DIVIDED: Final = "mean and variance of a batch norm divided by the factor beside them"
UNSCALED: Final = "batch norm without a Scale layer behind it: gamma 1, beta 0"
NO_BETA: Final = "beta of a Scale layer without one: 0"


def translate(layers: Sequence[Layer], model: CaffeModel) -> Graph:
    """Return the graph of operators, each with its arrays.

    A BatchNorm and the Scale behind it become one operator; a layer whose top has the name of an
    earlier one takes its place, as in Caffe.

    Args:
        layers: of the prototxt, those of a prediction.
        model: the blobs, which belong to the layers of the same name.

    Raises:
        ForeignModuleError: a type of layer that no network of the family has.
        StructureError: a field or an input is not one of the family's.
        WeightError: blobs that no layer takes, or more or fewer than a layer has.
    """
    check_fields(layers)
    translation = _LayerTranslation(_blobs(layers, model))
    for layer in layers:
        translation.take(layer)
    return translation.graph()


def _blobs(layers: Sequence[Layer], model: CaffeModel) -> dict[str, LayerBlobs]:
    """Return the caffemodel's layers with blobs by name, each of which a layer takes."""
    found: dict[str, LayerBlobs] = {}
    kinds = {layer.name: layer.type for layer in layers}
    faults = []
    for each in model.layers:
        if not each.blobs:
            continue
        kind = kinds.get(each.name)
        where = f"byte {each.offset}: the caffemodel's layer {shown(each.name)}"
        if each.name in found:
            faults.append(f"{where}: a name of its own expected for each layer with blobs")
        elif kind is None:
            faults.append(
                f"{where}: blobs of a layer that the prototxt does not have; not converted, "
                "because leaving them out might change the answers"
            )
        elif each.type and each.type != kind:
            faults.append(f"{where}: type {kind} expected, found {shown(each.type)}")
        found[each.name] = each
    if faults:
        raise WeightError(first_of(faults))
    return found


@dataclass(slots=True)
class _LayerTranslation:
    """The operators so far.

    Attributes:
        blobs: by the name of the layer.
        values: name of a value -> position of the operator whose output it is now.
        names: position of an operator -> the names that its output got.
        used: positions of operators that another one takes.
        scaled: positions of the batch norms whose Scale was found.
        changes: words -> how many times arrays were changed so.
    """

    blobs: Mapping[str, LayerBlobs]
    operators: list[Operator] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)
    names: dict[int, list[str]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    scaled: set[int] = field(default_factory=set)
    changes: dict[str, int] = field(default_factory=dict)
    side: int | None = None
    transform: InputNorm | None = None

    def take(self, layer: Layer) -> None:
        """Append the operator of a layer."""
        kind = TYPES[layer.type]
        count = 0 if layer.type in DATA else 2 if layer.type == "Eltwise" else 1
        tops = 2 if layer.type in DATA else 1
        if len(layer.bottoms) != count or not 1 <= len(layer.tops) <= tops:
            raise StructureError(
                f"{layer.place}: {count} bottoms and one top expected, found "
                f"{len(layer.bottoms)} and {len(layer.tops)}"
            )
        inputs = tuple(self._value(name, layer) for name in layer.bottoms)
        arrays = self._arrays(layer, kind.blobs)
        if layer.type == "Scale":
            self._scale(layer, inputs[0], arrays)
            return
        if layer.type == "Dropout":
            row = layer.parameters("dropout_param")
            if not layer.value(row, "scale_train", FLAG, True):
                raise StructureError(
                    f"{layer.place}: scale_train true expected, found false: a prediction is scaled"
                )
            self._bind(layer.tops[0], inputs[0])
            return
        if layer.type in DATA:
            self._input(layer)
        operator = RULES[layer.type](layer)
        if operator.kind is Kind.NORM and (divisor := self._divisor(layer, arrays)) != 1:
            arrays = _divided(arrays, divisor)
            operator = replace(operator, computed=dict.fromkeys(arrays, DIVIDED))
        self.used.update(inputs)
        self._bind(layer.tops[0], len(self.operators))
        self.operators.append(replace(operator, inputs=inputs, arrays=arrays))

    def graph(self) -> Graph:
        """Return the graph; its output is the softmax, or the last layer."""
        for at, operator in enumerate(self.operators):
            if operator.kind is Kind.NORM and at not in self.scaled:
                ones = np.ones(operator.arrays["mean"].shape, np.float32)
                made = {"gamma": ones, "beta": np.zeros_like(ones)}
                self.operators[at] = replace(
                    operator,
                    arrays={**operator.arrays, **made},
                    computed={**operator.computed, **dict.fromkeys(made, UNSCALED)},
                )
                self._count(UNSCALED)
        ends = [at for at, each in enumerate(self.operators) if each.kind is Kind.SOFTMAX]
        return Graph(
            operators=tuple(self.operators),
            output=ends[0] if ends else len(self.operators) - 1,
            reversed_channels=True,
            side=self.side,
            transform=self.transform,
            conversions=counted_changes(self.changes),
        )

    def _bind(self, name: str, at: int) -> None:
        self.values[name] = at
        self.names.setdefault(at, []).append(name)

    def _count(self, words: str) -> None:
        self.changes[words] = self.changes.get(words, 0) + 1

    def _value(self, name: str, layer: Layer) -> int:
        if name not in self.values:
            raise StructureError(
                f"{layer.place}: the top of an earlier layer expected as its bottom, found "
                f"{shown(name)}"
            )
        return self.values[name]

    def _arrays(self, layer: Layer, names: tuple[str, ...]) -> dict[str, Array]:
        """Return a layer's blobs by name, in the number of axes that they have here."""
        found = self.blobs[layer.name].blobs if layer.name in self.blobs else ()
        if names and len(names) == 2:
            parameters = layer.parameters(TYPES[layer.type].parameters)
            usual = layer.type != "Scale"
            if not layer.value(parameters, "bias_term", FLAG, usual):
                names = names[:1]
        if len(found) != len(names):
            raise WeightError(
                f"{layer.place}: {len(names)} blobs ({', '.join(names)}) expected in the "
                f"caffemodel, found {len(found)}"
            )
        axes = {"Convolution": 4, "InnerProduct": 2}.get(layer.type, 1)
        return {
            name: _with_axes(array, axes if name == "weight" else 1)
            for name, array in zip(names, found, strict=True)
        }

    def _scale(self, layer: Layer, at: int, arrays: dict[str, Array]) -> None:
        """Give gamma and beta to the batch norm whose output a Scale layer takes."""
        parameters = layer.parameters("scale_param")
        require(layer, parameters, "axis", WHOLE, 1)
        require(layer, parameters, "num_axes", WHOLE, 1)
        norm = self.operators[at]
        if norm.kind is not Kind.NORM or at in self.scaled or at in self.used:
            raise StructureError(
                f"{layer.place}: a Scale directly behind a BatchNorm, which nothing else takes, "
                "expected"
            )
        gamma = arrays["gamma"]
        beta = arrays.get("beta", np.zeros_like(gamma))
        self.operators[at] = replace(
            norm,
            arrays={**norm.arrays, "gamma": gamma, "beta": beta},
            computed={**norm.computed, **({} if "beta" in arrays else {"beta": NO_BETA})},
        )
        self.scaled.add(at)
        # Its output without the scale has no other use.
        for name in self.names.pop(at):
            if self.values.get(name) == at:
                del self.values[name]
        self._bind(layer.tops[0], at)

    def _divisor(self, layer: Layer, arrays: dict[str, Array]) -> float:
        """Take the factor of mean and variance out of the blobs, count and return it."""
        factor = arrays.pop("factor")
        if factor.size != 1 or not np.isfinite(factor).all():
            raise WeightError(
                f"{layer.place}: one finite number expected as the factor of a batch norm"
            )
        if factor[0] != 1:
            self._count(DIVIDED)
        return float(factor[0])

    def _input(self, layer: Layer) -> None:
        """Read the size of the input, and what is done to it."""
        if self.operators:
            raise StructureError(f"{layer.place}: one picture as the only input expected")
        self.side, self.transform = read_input(layer)


def _divided(arrays: dict[str, Array], factor: float) -> dict[str, Array]:
    """Return mean and variance, divided by the factor; a factor of 0 makes them 0."""
    with np.errstate(over="ignore"):
        scale = 1 / factor if factor else 0.0
        return {
            name: np.multiply(array, scale, dtype=np.float64).astype(
                np.promote_types(array.dtype, np.float32)
            )
            for name, array in arrays.items()
        }


def _with_axes(array: Array, axes: int) -> Array:
    """Return a blob without the axes of size 1 that Caffe put in front before 2015."""
    extra = array.ndim - axes
    if extra > 0 and array.shape[:extra] == (1,) * extra:
        return array.reshape(array.shape[extra:])
    return array
