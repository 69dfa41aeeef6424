"""Runs a state dict by the names of its layout, as an independent reference for the conversion.

Each of the three functions computes what the layout's own code computes in evaluation mode, from
the file's names alone. Nothing here uses specs, the table of names or `resnext.model`. The names
that this project gives to what torchvision's networks do not have (`bn_add`, `bn_last`) are known,
too; what no name shows is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from convert.pytorch.naming import Family
from convert.source.source import Array

EPS = 1e-5  # of every batch norm: the default of all of these layouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """What the names of tensors do not show of a network, where the file states it.

    Attributes:
        ceil_pool: the stem's max-pool has no padding and rounds sizes up, as in Caffe.
        shared: in the first block of a stage the shortcut takes what the first ReLU gives.
    """

    ceil_pool: bool = False
    shared: bool = False


USUAL = Unnamed()


def run(
    family: Family, arrays: Mapping[str, Array], inputs: Tensor, *, unnamed: Unnamed = USUAL
) -> Tensor:
    """Return the logits (N, classes) of inputs (N, 3, H, W), in the inputs' type."""
    if family is Family.TORCHVISION:
        return _torchvision(Layers(arrays), inputs, unnamed)
    return RULES[family](Layers(arrays), inputs)


class Layers:
    """The layers of a state dict by the file's names."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    def __contains__(self, name: str) -> bool:
        return f"{name}.weight" in self._arrays

    def tensor(self, name: str, like: Tensor) -> Tensor:
        """Return a copy of one tensor in another's type."""
        return torch.from_numpy(np.array(self._arrays[name])).to(like)

    def convolution(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """Convolve; the groups follow from the inputs of the weight."""
        weight = self.tensor(f"{name}.weight", x)
        return F.conv2d(
            x,
            weight,
            stride=stride,
            padding=weight.shape[-1] // 2,
            groups=x.shape[1] // weight.shape[1],
        )

    def norm(self, name: str, x: Tensor) -> Tensor:
        """Normalise by the running statistics."""
        mean, variance, weight, bias = (
            self.tensor(f"{name}.{each}", x)[:, None, None]
            for each in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + EPS) * weight + bias

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Return the averages over all pixels, times the weight, plus the bias."""
        features = x.mean(dim=(2, 3))
        weight, bias = (self.tensor(f"{name}.{each}", x) for each in ("weight", "bias"))
        return features @ weight.T + bias


def _torchvision(layers: Layers, x: Tensor, unnamed: Unnamed) -> Tensor:
    kernel = layers.tensor("conv1.weight", x).shape[-1]
    x = layers.convolution("conv1", x, 2 if kernel == 7 else 1)
    if "bn1" in layers:
        x = layers.norm("bn1", x).relu()
    if kernel == 7 and unnamed.ceil_pool:
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    elif kernel == 7:
        x = F.max_pool2d(x, 3, 2, 1)
    block = _pre_activation if "bn_last" in layers else _post_activation
    stage = 1
    while f"layer{stage}.0.conv1" in layers:
        number = 0
        while (place := f"layer{stage}.{number}") + ".conv1" in layers:
            stride = 2 if stage > 1 and number == 0 else 1
            x = block(layers, place, x, stride, unnamed.shared and number == 0)
            number += 1
        stage += 1
    if "bn_last" in layers:
        x = layers.norm("bn_last", x).relu()
    return layers.linear("fc" if "fc" in layers else "last_linear", x)


def _post_activation(layers: Layers, place: str, x: Tensor, stride: int, _: bool) -> Tensor:
    last = 3 if f"{place}.conv3" in layers else 2
    y = x
    for number in range(1, last + 1):
        y = layers.convolution(f"{place}.conv{number}", y, stride if number == last - 1 else 1)
        if f"{place}.bn{number}" in layers:
            y = layers.norm(f"{place}.bn{number}", y)
        if number < last:
            y = y.relu()
    y = y + _shortcut(layers, place, x, y)
    if f"{place}.bn_add" in layers:
        y = layers.norm(f"{place}.bn_add", y)
    return y.relu()


def _pre_activation(layers: Layers, place: str, x: Tensor, stride: int, shared: bool) -> Tensor:
    last = 3 if f"{place}.conv3" in layers else 2
    y = x
    for number in range(1, last + 1):
        if f"{place}.bn{number}" in layers:
            y = layers.norm(f"{place}.bn{number}", y).relu()
        if number == 1 and shared:
            x = y
        y = layers.convolution(f"{place}.conv{number}", y, stride if number == last - 1 else 1)
    return y + _shortcut(layers, place, x, y)


def _shortcut(layers: Layers, place: str, x: Tensor, y: Tensor) -> Tensor:
    """Return a projection of `x`, or `x` with pixels left out and channels of zeros for `y`."""
    stride = round(x.shape[-1] / y.shape[-1])
    if f"{place}.downsample.0" in layers:
        x = layers.convolution(f"{place}.downsample.0", x, stride)
        if f"{place}.downsample.1" in layers:
            x = layers.norm(f"{place}.downsample.1", x)
        return x
    missing = y.shape[1] - x.shape[1]
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, missing))


def _prlz77(layers: Layers, x: Tensor) -> Tensor:
    x = layers.norm("bn_1", layers.convolution("conv_1_3x3", x)).relu()
    for stage in (1, 2, 3):
        block = 0
        while (place := f"stage_{stage}.stage_{stage}_bottleneck_{block}") + ".bn" in layers:
            stride = 2 if stage > 1 and block == 0 else 1
            y = layers.convolution(f"{place}.conv_reduce", x)
            y = layers.norm(f"{place}.bn_reduce", y).relu()
            y = layers.convolution(f"{place}.conv_conv", y, stride)
            y = layers.norm(f"{place}.bn", y).relu()
            y = layers.norm(f"{place}.bn_expand", layers.convolution(f"{place}.conv_expand", y))
            if f"{place}.shortcut.shortcut_conv" in layers:
                x = layers.convolution(f"{place}.shortcut.shortcut_conv", x, stride)
                x = layers.norm(f"{place}.shortcut.shortcut_bn", x)
            x, block = (y + x).relu(), block + 1
    return layers.linear("classifier", x)


def _nested(layers: Layers, x: Tensor) -> Tensor:
    root = "features." if "features.0" in layers else ""
    kernel = layers.tensor(f"{root}0.weight", x).shape[-1]
    x = layers.norm(f"{root}1", layers.convolution(f"{root}0", x, 2 if kernel == 7 else 1)).relu()
    first = stage = 3
    if kernel == 7:  # module 3 is the max-pool
        x, first, stage = F.max_pool2d(x, 3, 2, 1), 4, 4
    while any(f"{root}{stage}.0.0.0.{each}" in layers for each in ("0", "0.0")):
        block = 0
        while any(f"{root}{stage}.{block}.0.0.{each}" in layers for each in ("0", "0.0")):
            place, stride = f"{root}{stage}.{block}.0", 2 if stage > first and block == 0 else 1
            y = _sequence(layers, f"{place}.0", x, stride)
            if f"{place}.1.0" in layers:
                x = layers.norm(f"{place}.1.1", layers.convolution(f"{place}.1.0", x, stride))
            x, block = (x + y).relu(), block + 1
        stage += 1
    heads = (f"{root}last_linear", "last_linear", f"{stage + 2}.1", f"{stage + 2}")
    return layers.linear(next(name for name in heads if name in layers), x)


def _sequence(layers: Layers, place: str, x: Tensor, stride: int) -> Tensor:
    """Run the modules of a branch by their numbers: convolution, batch norm, ReLU, and so on.

    The first 3x3 convolution takes the stride. A number without tensors is a ReLU.
    """
    nested = f"{place}.0.0" in layers
    names = [f"{place}.0.{n}" for n in range(6)] if nested else []
    names += [f"{place}.{n}" for n in range(1 if nested else 0, 8)]
    last = max(index for index, name in enumerate(names) if name in layers)
    for name in names[: last + 1]:
        if name not in layers:
            x = x.relu()
        elif layers.tensor(f"{name}.weight", x).ndim == 1:
            x = layers.norm(name, x)
        else:
            wide = layers.tensor(f"{name}.weight", x).shape[-1] == 3
            x = layers.convolution(name, x, stride if wide else 1)
            stride = 1 if wide else stride
    return x


RULES: dict[Family, Callable[[Layers, Tensor], Tensor]] = {
    Family.PRLZ77: _prlz77,
    Family.NESTED: _nested,
}
