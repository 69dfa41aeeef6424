"""Runs a prototxt's layers directly, as an independent reference for the converted network.

Each layer computes what Caffe's layer of that type computes in the phase TEST, from its own fields
and blobs alone. Nothing here uses specs, the structure of the family or the translation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from convert.caffe.layers import Layer
from convert.caffe.text_format import Message, Word
from convert.source.errors import StructureError
from convert.source.source import Array


def run(layers: Sequence[Layer], blobs: Mapping[str, Sequence[Array]], picture: Tensor) -> Tensor:
    """Return what the Softmax takes, or what the last layer gives if there is none.

    Args:
        layers: in their order; a layer overwrites a value of its top's name, as in Caffe.
        blobs: of each layer, by its name.
        picture: (N, 3, H, W), blue, green, red, in the type of the arithmetic.

    Raises:
        StructureError: a type of layer is not known, or sizes do not match.
    """
    last = {name: at for at, layer in enumerate(layers) for name in layer.bottoms}
    values: dict[str, Tensor] = {}
    for at, layer in enumerate(layers):
        inputs = [values[name] for name in layer.bottoms]
        if layer.type == "Softmax":
            return inputs[0]
        weights = [
            torch.from_numpy(np.array(array)).to(picture) for array in blobs.get(layer.name, ())
        ]
        if layer.type not in RULES:
            raise StructureError(f"{layer.place}: no arithmetic known for {layer.type[:40]}")
        try:
            value = RULES[layer.type](layer, inputs or [picture], weights)
        except RuntimeError as error:  # torch raises it for sizes that do not match
            raise StructureError(f"{layer.place}: {str(error).splitlines()[0]}") from error
        for name in layer.bottoms:  # what is not needed again is freed
            if last[name] == at and name in values:
                del values[name]
        values[layer.tops[0]] = value
    return values[layers[-1].tops[0]]


def _convolution(layer: Layer, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    fields = _fields(layer, "convolution_param")
    kernel = _sides(fields, "kernel", 1)
    weight, *bias = weights
    return F.conv2d(
        inputs[0],
        weight.reshape(weight.shape[-4], -1, *kernel),
        bias[0].flatten() if bias else None,
        stride=_sides(fields, "stride", 1),
        padding=_sides(fields, "pad", 0),
        dilation=_sides(fields, "dilation", 1),
        groups=int(_words(fields, "group", "1")[0]),
    )


def _batch_norm(layer: Layer, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    mean, variance, factor = (each.flatten()[:, None, None] for each in weights)
    scale = 0 if float(factor) == 0 else 1 / float(factor)
    eps = float(_words(_fields(layer, "batch_norm_param"), "eps", "1e-5")[-1])
    return (inputs[0] - mean * scale) / (variance * scale + eps).sqrt()


def _scale(_: Layer, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    factor, *shift = (each.flatten()[:, None, None] for each in weights)
    return inputs[0] * factor + (shift[0] if shift else 0)


def _relu(layer: Layer, inputs: list[Tensor], _: list[Tensor]) -> Tensor:
    slope = float(_words(_fields(layer, "relu_param"), "negative_slope", "0")[-1])
    return F.leaky_relu(inputs[0], slope)


def _pool(layer: Layer, inputs: list[Tensor], _: list[Tensor]) -> Tensor:
    fields, x = _fields(layer, "pooling_param"), inputs[0]
    average = _words(fields, "pool", "MAX")[-1] in ("AVE", "1")
    if _words(fields, "global_pooling", "false")[-1].lower() in ("true", "1", "t"):
        return x.mean((2, 3), keepdim=True) if average else x.amax((2, 3), keepdim=True)
    up = _words(fields, "round_mode", "CEIL")[-1] in ("CEIL", "0")
    up = up and _words(fields, "ceil_mode", "true")[-1].lower() in ("true", "1", "t")
    kernel, stride, padding = (
        _sides(fields, name, usual) for name, usual in (("kernel", 1), ("stride", 1), ("pad", 0))
    )
    pool = F.avg_pool2d if average else F.max_pool2d
    return pool(x, kernel, stride, padding, ceil_mode=up)


def _sum(layer: Layer, inputs: list[Tensor], _: list[Tensor]) -> Tensor:
    factors = _words(_fields(layer, "eltwise_param"), "coeff", *["1"] * len(inputs))
    return sum(
        (float(factor) * x for factor, x in zip(factors, inputs, strict=True)),
        start=torch.zeros_like(inputs[0]),
    )


def _linear(_: Layer, inputs: list[Tensor], weights: list[Tensor]) -> Tensor:
    weight, *bias = weights
    x = inputs[0].flatten(1)
    return F.linear(x, weight.reshape(-1, x.shape[1]), bias[0].flatten() if bias else None)


def _flatten(_: Layer, inputs: list[Tensor], __: list[Tensor]) -> Tensor:
    return inputs[0].flatten(1)


def _same(_: Layer, inputs: list[Tensor], __: list[Tensor]) -> Tensor:
    return inputs[0]


def _data(layer: Layer, inputs: list[Tensor], __: list[Tensor]) -> Tensor:
    fields = _fields(layer, "transform_param")
    means = [float(text) for text in _words(fields, "mean_value", "0")]
    scale = float(_words(fields, "scale", "1")[-1])
    return (inputs[0] - inputs[0].new_tensor(means)[:, None, None]) * scale


def _fields(layer: Layer, name: str) -> Message | None:
    found = [each for each in layer.message.fields.get(name, []) if isinstance(each, Message)]
    return found[0] if found else None


def _words(message: Message | None, name: str, *usual: str) -> list[str]:
    found = message.fields.get(name, []) if message else []
    return [each.text for each in found if isinstance(each, Word)] or list(usual)


def _sides(message: Message | None, name: str, usual: int) -> tuple[int, int]:
    both = _words(message, "kernel_size" if name == "kernel" else name, str(usual))
    height = _words(message, f"{name}_h", both[0])
    width = _words(message, f"{name}_w", both[-1])
    return int(height[0]), int(width[0])


RULES: Final[Mapping[str, Callable[[Layer, list[Tensor], list[Tensor]], Tensor]]] = {
    **dict.fromkeys(("Input", "Data", "ImageData"), _data),
    "Convolution": _convolution,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "ReLU": _relu,
    "Pooling": _pool,
    "Eltwise": _sum,
    "InnerProduct": _linear,
    **dict.fromkeys(("Flatten", "Reshape"), _flatten),
    "Dropout": _same,
}
