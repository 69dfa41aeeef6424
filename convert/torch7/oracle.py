"""Runs a Lua module tree directly, as an independent reference for the converted network.

Each class computes what Torch7's class of that name computes in evaluation mode, from its own
fields alone. Nothing here uses specs, tensor names or the structure of the family.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from convert.source.errors import StructureError
from convert.torch7.lua_classes import KINDS
from convert.torch7.objects import Storage, text
from convert.torch7.tree import Module

Value = Tensor | list[Tensor]


def run(module: Module, value: Value) -> Value:
    """Return the output of a module.

    Args:
        module: any module of the tree.
        value: (N, ...) or, for the modules that take tables, a list of such; computed in its dtype.
            In-place modules may overwrite it, as in Torch7.

    Raises:
        StructureError: a class is not known, or a field is missing.
    """
    if module.type not in KINDS:
        raise StructureError(f"{module.place}: no arithmetic known for it")
    try:
        return RULES[KINDS[module.type]](module, value)
    except RuntimeError as error:  # torch raises it for sizes that do not match
        raise StructureError(f"{module.place}: {str(error).splitlines()[0]}") from error


def _sequential(module: Module, value: Value) -> Value:
    for child in module.modules:
        value = run(child, value)
    return value


def _concat_table(module: Module, value: Value) -> Value:
    return [cast("Tensor", run(child, value)) for child in module.modules]


def _add_table(module: Module, value: Value) -> Value:
    first, *others = _table(value)
    total = first if module.fields.get("inplace") else first.clone()
    for other in others:
        total += other
    return total


def _join_table(module: Module, value: Value) -> Value:
    parts, dim = _table(value), _int(module, "dimension") - 1
    if module.fields.get("nInputDims") is not None:  # the axes of a sample, without the batch axis
        dim += parts[0].ndim - _int(module, "nInputDims")
    return torch.cat(parts, dim=dim)


def _concat(module: Module, value: Value) -> Value:
    parts = [cast("Tensor", run(child, value)) for child in module.modules]
    return torch.cat(parts, dim=_int(module, "dimension") - 1)


def _identity(_: Module, value: Value) -> Value:
    return value


def _multiply(module: Module, value: Value) -> Value:
    x, factor = _tensor(value), cast("float", module.fields["constant_scalar"])
    return x.mul_(factor) if module.fields.get("inplace") else x * factor


def _view(module: Module, value: Value) -> Value:
    size = module.fields["size"]
    if not isinstance(size, Storage):
        raise StructureError(f"{module.place}: sizes expected")
    return _tensor(value).reshape(-1, *size.array.tolist())


def _relu(module: Module, value: Value) -> Value:
    _known_mode(module, "CUDNN_ACTIVATION_RELU")
    threshold, val = _number(module, "threshold", 0), _number(module, "val", 0)
    return F.threshold(_tensor(value), threshold, val, bool(module.fields.get("inplace")))


def _convolution(module: Module, value: Value) -> Value:
    x = _tensor(value)
    groups = _int(module, "groups", 1)
    kernel = (_int(module, "kH"), _int(module, "kW"))
    weight = _weight(module, "weight", x)
    weight = weight.reshape(weight.shape[0], -1, *kernel)  # it is 2-D in old files
    bias = _weight(module, "bias", x) if module.tensor("bias") is not None else None
    stride = (_int(module, "dH", 1), _int(module, "dW", 1))
    padding = (_int(module, "padH", 0), _int(module, "padW", 0))
    dilation = (_int(module, "dilationH", 1), _int(module, "dilationW", 1))
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _batch_norm(module: Module, value: Value) -> Value:
    x = _tensor(value)
    eps = cast("float", module.fields["eps"])
    if module.tensor("running_std") is not None:
        scale = _weight(module, "running_std", x)
    else:
        scale = (_weight(module, "running_var", x) + eps).rsqrt()
    y = (x - _weight(module, "running_mean", x)[:, None, None]) * scale[:, None, None]
    if not module.fields.get("affine", True):
        return y
    weight, bias = (_weight(module, name, x)[:, None, None] for name in ("weight", "bias"))
    return y * weight + bias


def _max_pool(module: Module, value: Value) -> Value:
    _known_mode(module, "CUDNN_POOLING_MAX")
    kernel, stride, padding = _window(module)
    ceil = bool(module.fields.get("ceil_mode"))
    return F.max_pool2d(_tensor(value), kernel, stride, padding, ceil_mode=ceil)


def _average_pool(module: Module, value: Value) -> Value:
    excluding = "CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING"
    including = "CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING"
    mode = _known_mode(module, including, "CUDNN_POOLING_AVERAGE", excluding)
    kernel, stride, padding = _window(module)
    return F.avg_pool2d(
        _tensor(value),
        kernel,
        stride,
        padding,
        ceil_mode=bool(module.fields.get("ceil_mode")),
        count_include_pad=bool(module.fields.get("count_include_pad", mode != excluding)),
        # Without the field, old versions of nn sum and cudnn, which never had it, averages.
        divisor_override=None if module.fields.get("divide", module.type[:3] != "nn.") else 1,
    )


def _linear(module: Module, value: Value) -> Value:
    x = _tensor(value)
    return F.linear(x, _weight(module, "weight", x), _weight(module, "bias", x))


Pair = tuple[int, int]


def _window(module: Module) -> tuple[Pair, Pair, Pair]:
    return (
        (_int(module, "kH"), _int(module, "kW")),
        (_int(module, "dH", 1), _int(module, "dW", 1)),
        (_int(module, "padH", 0), _int(module, "padW", 0)),
    )


def _int(module: Module, name: str, default: int | None = None) -> int:
    return int(_number(module, name, default))


def _number(module: Module, name: str, default: float | None = None) -> float:
    value = module.fields.get(name, default)
    if not isinstance(value, int | float):
        raise StructureError(f"{module.place}: {name} must be a number, found {text(value)}")
    return value


def _known_mode(module: Module, default: str, *others: str) -> str:
    """Return cudnn's mode of a module; nn's modules have none."""
    value = module.fields.get("mode", default.encode())
    mode = text(value)
    if mode not in (default, *others):
        raise StructureError(f"{module.place}: no arithmetic known for mode {mode}")
    return mode


def _weight(module: Module, name: str, like: Tensor) -> Tensor:
    tensor = module.tensor(name)
    if tensor is None:
        raise StructureError(f"{module.place}: {name} is missing")
    return torch.from_numpy(np.array(tensor.array)).to(like)


def _tensor(value: Value) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def _table(value: Value) -> list[Tensor]:
    assert isinstance(value, list)
    return value


RULES: dict[str, Callable[[Module, Value], Value]] = {
    "Sequential": _sequential,
    "ConcatTable": _concat_table,
    "CAddTable": _add_table,
    "JoinTable": _join_table,
    "Concat": _concat,
    "Identity": _identity,
    "Copy": _identity,
    "MulConstant": _multiply,
    "View": _view,
    "Linear": _linear,
    "ReLU": _relu,
    "SpatialConvolution": _convolution,
    "SpatialBatchNormalization": _batch_norm,
    "SpatialMaxPooling": _max_pool,
    "SpatialAveragePooling": _average_pool,
}
