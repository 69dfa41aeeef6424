"""What each type of layer computes, in the terms of `convert.graph`, without its arrays."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from convert.caffe.layers import FLAG, INPUT, NUMBER, WHOLE, Form, Layer
from convert.caffe.settings import choice, require, sides
from convert.graph.operators import InputNorm, Kind, Operator
from convert.source.errors import StructureError
from resnext.fields import shown

SIGNED: Final = Form("a whole number", lambda word: int(word.text[:10]))

# Fields of what is done to an input; `mirror` is of the training only.
TRANSFORM: Final = ("crop_size", "mean_value", "scale", "mirror", "force_color")


def read_input(layer: Layer) -> tuple[int | None, InputNorm | None]:
    """Return the side of an input in pixels, if it is stated and square, and what is done to it.

    Raises:
        StructureError: it is no picture of three channels, or changed in another way.
    """
    side = None
    if layer.type == INPUT:
        shape = layer.message_of(layer.parameters("input_param"), "shape")
        dims = layer.values(shape, "dim", WHOLE) if shape else []
        if len(dims) != 4 or dims[1] != 3 or not all(dims):
            raise StructureError(
                f"{layer.place}: dim N, 3, height, width expected, found {shown(dims)}"
            )
        side = dims[2] if dims[2] == dims[3] else None
    transform = layer.parameters("transform_param")
    for name in transform.fields:
        if name not in TRANSFORM:
            raise StructureError(
                f"{layer.place}: transform_param of {', '.join(TRANSFORM)} expected, found "
                f"{shown(name)}"
            )
    side = layer.value(transform, "crop_size", WHOLE, 0) or side
    means = layer.values(transform, "mean_value", NUMBER)
    scale = layer.value(transform, "scale", NUMBER, 1.0)
    if not means and "scale" not in transform.fields:
        return side, None
    if len(means) not in (0, 1, 3) or not scale:
        raise StructureError(
            f"{layer.place}: one mean_value or three, and a scale that is not 0, expected"
        )
    mean = np.array(means if len(means) == 3 else (means or [0.0]) * 3)
    return side, InputNorm(mean, np.full(3, 1 / scale))


# Layers that give the picture, and maybe a label.
DATA: Final = frozenset({"Input", "Data", "ImageData"})


def _input(layer: Layer) -> Operator:
    return Operator(place=layer.place, kind=Kind.INPUT)


def _convolution(layer: Layer) -> Operator:
    row = layer.parameters("convolution_param")
    require(layer, row, "axis", SIGNED, 1)
    settings: dict[str, object] = {
        "outputs": layer.value(row, "num_output", WHOLE, 0),
        "groups": layer.value(row, "group", WHOLE, 1),
        "kernel": sides(layer, row, "kernel", 0),
        "stride": sides(layer, row, "stride", 1),
        "padding": sides(layer, row, "pad", 0),
        "dilation": sides(layer, row, "dilation", 1),
    }
    if not settings["outputs"] or not settings["groups"]:
        raise StructureError(f"{layer.place}: num_output and group of at least 1 expected")
    return Operator(place=layer.place, kind=Kind.CONVOLUTION, settings=settings)


def _norm(layer: Layer) -> Operator:
    row = layer.parameters("batch_norm_param")
    if not layer.value(row, "use_global_stats", FLAG, True):
        raise StructureError(
            f"{layer.place}: use_global_stats true expected, found false: its answers would depend "
            "on the other pictures of a batch"
        )
    eps = layer.value(row, "eps", NUMBER, 1e-5)
    return Operator(place=layer.place, kind=Kind.NORM, settings={"eps": eps, "fixed_gamma": False})


def _relu(layer: Layer) -> Operator:
    slope = layer.value(layer.parameters("relu_param"), "negative_slope", NUMBER, 0.0)
    return Operator(place=layer.place, kind=Kind.RELU, settings={"slope": slope})


def _pool(layer: Layer) -> Operator:
    row = layer.parameters("pooling_param")
    kind = Kind(
        choice(
            layer,
            row,
            "pool",
            {"MAX": Kind.MAX_POOL, "0": Kind.MAX_POOL}
            | {"AVE": Kind.AVERAGE_POOL, "1": Kind.AVERAGE_POOL},
        )
    )
    rounding = choice(
        layer, row, "round_mode", {"CEIL": "up", "0": "up", "FLOOR": "down", "1": "down"}
    )
    if not layer.value(row, "ceil_mode", FLAG, True):  # another branch of Caffe spells it so
        rounding = "down"
    window = (
        sides(layer, row, "kernel", 0),
        sides(layer, row, "stride", 1),
        sides(layer, row, "pad", 0),
    )
    whole = layer.value(row, "global_pooling", FLAG, False)
    settings = {"window": None if whole else window, "rounding": rounding}
    return Operator(place=layer.place, kind=kind, settings=settings)


def _add(layer: Layer) -> Operator:
    row = layer.parameters("eltwise_param")
    choice(layer, row, "operation", {"SUM": "", "1": ""})
    factors = layer.values(row, "coeff", NUMBER) or [1.0, 1.0]
    return Operator(place=layer.place, kind=Kind.ADD, settings={"factors": tuple(factors)})


def _linear(layer: Layer) -> Operator:
    row = layer.parameters("inner_product_param")
    require(layer, row, "axis", SIGNED, 1)
    if layer.value(row, "transpose", FLAG, False):
        raise StructureError(f"{layer.place}: transpose false expected, found true")
    outputs = layer.value(row, "num_output", WHOLE, 0)
    return Operator(place=layer.place, kind=Kind.LINEAR, settings={"outputs": outputs})


def _flatten(layer: Layer) -> Operator:
    row = layer.parameters("flatten_param")
    require(layer, row, "axis", SIGNED, 1)
    require(layer, row, "end_axis", SIGNED, -1)
    return Operator(place=layer.place, kind=Kind.FLATTEN)


def _reshape(layer: Layer) -> Operator:
    row = layer.parameters("reshape_param")
    require(layer, row, "axis", SIGNED, 0)
    require(layer, row, "num_axes", SIGNED, -1)
    shape = layer.message_of(row, "shape")
    dims = layer.values(shape, "dim", SIGNED) if shape else []
    if dims != [0, -1]:
        raise StructureError(
            f"{layer.place}: dim 0 and -1, which flatten, expected, found {shown(dims)}"
        )
    return Operator(place=layer.place, kind=Kind.FLATTEN)


def _softmax(layer: Layer) -> Operator:
    return Operator(place=layer.place, kind=Kind.SOFTMAX)


RULES: Final[Mapping[str, Callable[[Layer], Operator]]] = {
    **dict.fromkeys(DATA, _input),
    "Convolution": _convolution,
    "BatchNorm": _norm,
    "ReLU": _relu,
    "Pooling": _pool,
    "Eltwise": _add,
    "InnerProduct": _linear,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Softmax": _softmax,
}
