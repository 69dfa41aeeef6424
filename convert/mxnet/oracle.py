"""Runs an MXNet graph directly, as an independent reference for the converted network.

Each operator computes what MXNet's operator of that name computes for a prediction, from its own
texts alone. Nothing here uses specs, the structure of the family or the translation.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from convert.mxnet.symbol import Node, Symbol
from convert.source.errors import StructureError
from convert.source.source import Array


def run(symbol: Symbol, arrays: Mapping[str, Array], picture: Tensor) -> Tensor:
    """Return what the input of the softmax at the end is, or the output if there is none.

    Args:
        symbol: the graph.
        arrays: by name, with `arg:` or `aux:` in front.
        picture: (N, 3, H, W), bytes 0..255 in the type of the arithmetic.

    Raises:
        StructureError: an operator is not known, or sizes do not match.
    """
    uses = Counter(at for node in symbol.nodes for at in node.inputs)
    values: dict[int, Tensor] = {}
    for node in symbol.nodes:
        if node.op in LOSSES:
            return values[node.inputs[0]]
        if node.op == "null":
            found = arrays.get(f"arg:{node.name}", arrays.get(f"aux:{node.name}"))
            value = picture if found is None else torch.from_numpy(np.array(found)).to(picture)
        else:
            inputs = [values[at] for at in node.inputs]
            inputs += [
                torch.from_numpy(np.array(arrays[f"aux:{name}"])).to(picture)
                for name in node.auxiliary
            ]
            value = _computed(node, inputs)
        values[node.position] = value
        for at in node.inputs:  # what is not needed again is freed
            uses[at] -= 1
            if not uses[at]:
                del values[at]
    return values[symbol.head]


def _computed(node: Node, inputs: list[Tensor]) -> Tensor:
    if node.op not in RULES:
        raise StructureError(f"{node.place}: no arithmetic known for {node.op[:40]}")
    try:
        return RULES[node.op](node, inputs)
    except RuntimeError as error:  # torch raises it for sizes that do not match
        raise StructureError(f"{node.place}: {str(error).splitlines()[0]}") from error


def _convolution(node: Node, inputs: list[Tensor]) -> Tensor:
    x, weight, *bias = inputs
    return F.conv2d(
        x,
        weight,
        bias[0] if bias else None,
        stride=_sides(node, "stride", 1),
        padding=_sides(node, "pad", 0),
        dilation=_sides(node, "dilate", 1),
        groups=int(node.attributes.get("num_group", "1")),
    )


def _batch_norm(node: Node, inputs: list[Tensor]) -> Tensor:
    x, gamma, beta, mean, variance = inputs
    if _true(node, "fix_gamma", default=True):
        gamma = torch.ones_like(gamma)
    factor = gamma / (variance + float(node.attributes.get("eps", "0.001"))).sqrt()
    return x * factor[:, None, None] + (beta - mean * factor)[:, None, None]


def _pool(node: Node, inputs: list[Tensor]) -> Tensor:
    [x] = inputs
    kind = node.attributes.get("pool_type", "max")
    if _true(node, "global_pool", default=False):
        return x.amax((2, 3), keepdim=True) if kind == "max" else x.mean((2, 3), keepdim=True)
    kernel, stride, padding = (
        _sides(node, name, usual) for name, usual in (("kernel", 1), ("stride", 1), ("pad", 0))
    )
    up = node.attributes.get("pooling_convention") == "full"
    pool = F.max_pool2d if kind == "max" else F.avg_pool2d
    return pool(x, kernel, stride, padding, ceil_mode=up)


def _linear(_: Node, inputs: list[Tensor]) -> Tensor:
    x, weight, *bias = inputs
    return F.linear(x.flatten(1), weight, bias[0] if bias else None)


def _sides(node: Node, name: str, usual: int) -> tuple[int, int]:
    numbers = re.findall(r"\d+", node.attributes.get(name, "")) or [str(usual)] * 2
    return int(numbers[0]), int(numbers[1])


def _true(node: Node, name: str, *, default: bool) -> bool:
    return node.attributes.get(name, str(default)).lower() in ("true", "1")


def _sum(_: Node, inputs: list[Tensor]) -> Tensor:
    first, *others = inputs
    return sum(others, start=first)


def _relu(_: Node, inputs: list[Tensor]) -> Tensor:
    return inputs[0].clamp(min=0)


def _flatten(_: Node, inputs: list[Tensor]) -> Tensor:
    return inputs[0].flatten(1)


def _same(_: Node, inputs: list[Tensor]) -> Tensor:
    return inputs[0]


# A loss or softmax, whose first input is the logits.
LOSSES: Final = frozenset(
    {"SoftmaxOutput", "Softmax", "SoftmaxActivation", "softmax", "log_softmax"}
)
_SUMS: Final = (
    *("elemwise_add", "_plus", "_Plus", "_add", "_grad_add", "broadcast_add"),
    *("add_n", "ElementWiseSum"),
)
RULES: Final[Mapping[str, Callable[[Node, list[Tensor]], Tensor]]] = {
    **dict.fromkeys(("Convolution", "Convolution_v1"), _convolution),
    **dict.fromkeys(("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm"), _batch_norm),
    **dict.fromkeys(("Activation", "relu"), _relu),
    **dict.fromkeys(("Pooling", "Pooling_v1"), _pool),
    **dict.fromkeys(_SUMS, _sum),
    **dict.fromkeys(("Flatten", "flatten", "Reshape", "reshape"), _flatten),
    "FullyConnected": _linear,
    **dict.fromkeys(("_copy", "identity", "Dropout", "Cast", "cast", "amp_cast"), _same),
}
