"""Small networks as MXNet's and Caffe's model files build them, layer by layer; no code of ours."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Op:
    """One operator: its kind, the names of what it takes, its settings and arrays."""

    name: str
    kind: str
    inputs: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Net:
    """Appends operators with random arrays; `ops` are the operators in their order."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.ops: list[Op] = [Op("data", "input", [])]

    def add(self, name: str, kind: str, *inputs: str, **settings: Any) -> str:
        self.ops.append(Op(name, kind, list(inputs), settings))
        return name

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (self.random.standard_normal(shape) * scale).astype(np.float32)

    def conv(self, name: str, x: str, sizes: tuple[int, int], kernel: int, **settings: Any) -> str:
        inputs, outputs = sizes
        groups = settings.get("groups", 1)
        self.add(name, "conv", x, outputs=outputs, kernel=kernel, **settings)
        fan = inputs // groups * kernel * kernel
        shape = (outputs, inputs // groups, kernel, kernel)
        self.ops[-1].arrays = {"weight": self.normal(*shape, scale=(2 / fan) ** 0.5)}
        if settings.get("bias"):
            self.ops[-1].arrays["bias"] = self.normal(outputs)
        return name

    def norm(self, name: str, x: str, width: int, **settings: Any) -> str:
        self.add(name, "norm", x, **{"eps": "2e-05", "fix_gamma": False, **settings})
        uniform = self.random.uniform(0.5, 1.5, (2, width)).astype(np.float32)
        self.ops[-1].arrays = {
            "gamma": uniform[0],
            "beta": self.normal(width, scale=0.2),
            "mean": self.normal(width, scale=0.2),
            "variance": uniform[1],
        }
        return name

    def relu(self, name: str, x: str) -> str:
        return self.add(name, "relu", x)

    def op(self, name: str) -> Op:
        return next(op for op in self.ops if op.name == name)

    def input_norm(self, *, fix_gamma: bool) -> str:
        x = self.norm("bn_data", "data", 3, fix_gamma=fix_gamma)
        arrays = self.op(x).arrays
        arrays["mean"] = np.array([123.0, 117.0, 104.0], np.float32)
        arrays["variance"] = np.array([3400.0, 3200.0, 3300.0], np.float32)
        return x

    def unit(
        self, name: str, x: str, sizes: tuple[int, int], stride: int, groups: int, bottle: bool
    ) -> str:
        inputs, outputs = sizes
        if bottle:
            rows = [(outputs // 2, 1, 1, 1), (outputs // 2, 3, stride, groups), (outputs, 1, 1, 1)]
        else:
            rows = [(outputs, 3, stride, 1), (outputs, 3, 1, 1)]
        y, width = x, inputs
        for number, (filters, kernel, step, parts) in enumerate(rows, 1):
            y = self.relu(f"{name}_relu{number - 1}", y) if number > 1 else y
            settings = {"stride": step, "pad": kernel // 2, "groups": parts}
            y = self.conv(f"{name}_conv{number}", y, (width, filters), kernel, **settings)
            y, width = self.norm(f"{name}_bn{number}", y, filters), filters
        short = x
        if name.endswith("unit1"):
            short = self.conv(f"{name}_sc", x, (inputs, outputs), 1, stride=stride)
            short = self.norm(f"{name}_sc_bn", short, outputs)
        return self.relu(f"{name}_relu", self.add(f"{name}_plus", "add", y, short))


def resnext(
    *,
    filters: tuple[int, ...] = (4, 8, 16, 32, 64),
    units: tuple[int, ...] = (1, 2, 1, 1),
    groups: int = 2,
    classes: int = 3,
    bottle: bool = True,
    input_norm: bool = True,
    fix_gamma: bool = True,
    pool_pad: int = 1,
    seed: int = 0,
) -> Net:
    """Return the network of MXNet's symbols/resnext.py; with `pool_pad` 0 that of Caffe."""
    net = Net(seed)
    x = net.input_norm(fix_gamma=fix_gamma) if input_norm else "data"
    x = net.conv("conv0", x, (3, filters[0]), 7, stride=2, pad=3)
    x = net.relu("relu0", net.norm("bn0", x, filters[0]))
    x = net.add("pooling0", "max", x, kernel=3, stride=2, pad=pool_pad)
    width = filters[0]
    for stage, (outputs, count) in enumerate(zip(filters[1:], units, strict=True), 1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            sizes = (width, outputs)
            x = net.unit(f"stage{stage}_unit{number}", x, sizes, stride, groups, bottle)
            width = outputs
    x = net.add("pool1", "average", x)
    x = net.add("fc1", "linear", x, outputs=classes)
    net.op("fc1").arrays = {"weight": net.normal(classes, width), "bias": net.normal(classes)}
    net.add("softmax", "softmax", x)
    return net
