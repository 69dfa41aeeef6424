"""The networks of lua/nets.lua and of fb.resnet.torch's preresnet.lua, as the writer's objects.

A second description of the family, module by module as the model files build it, with random
weights. Tests change one thing in it and expect a refusal.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.t7_writer import Object, Storage, Tensor, tensor


@dataclass(frozen=True, kw_only=True)
class Options:
    """What nets.lua takes, small by default.

    Attributes:
        pre: preresnet.lua's order of layers.
        pre_branch: the same as it began: every block begins with batch norm inside the branch, and
            a projection has one behind it.
        projection_norm: False: no batch norm behind a projection, as in the first published files.
        bare_projection: such a projection stands without an nn.Sequential around it.
    """

    stem_kind: str = "cifar"
    block: str = "resnext_C"
    counts: tuple[int, ...] = (1, 1, 1)
    stem: int = 4
    base: int = 4
    cardinality: int = 2
    base_width: int = 3
    shortcut: str = "B"
    classes: int = 5
    bn_after_add: bool = False
    pre: bool = False
    pre_branch: bool = False
    projection_norm: bool = True
    bare_projection: bool = False
    nn: bool = False  # classes of nn in place of cudnn's
    conv_bias: bool = False
    last_bias: bool = False  # pre-activation: a bias with no batch norm behind it, too
    running_std: bool = False
    weights_2d: bool = False
    kind: str = "Float"


def net(seed: int = 0, **options: Any) -> Object:
    """Return an nn.Sequential, as `net{...}` of nets.lua does."""
    return _Builder(Options(**options), np.random.default_rng(seed)).net()


def children(module: Object) -> list[Object]:
    """Return a container's modules, to be changed in place."""
    found: list[Object] = module.fields["modules"]
    return found


def at(module: Object, *numbers: int) -> Object:
    """Return the module at model.modules[i].modules[j]..., counted from one as in Lua."""
    for number in numbers:
        module = children(module)[number - 1]
    return module


def place(*numbers: int) -> str:
    """Name what `at` returns as a message does, up to the class."""
    return "model" + "".join(f".modules[{number}]" for number in numbers) + " ("


def numbers_of(module: Object, prefix: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """List the place of every module, in order."""
    found = [prefix]
    for number, child in enumerate(module.fields.get("modules", ()), 1):
        found += numbers_of(child, (*prefix, number))
    return found


class _Builder:
    def __init__(self, options: Options, rng: np.random.Generator) -> None:
        self.o, self.rng, self.planes = options, rng, options.stem
        self.dtype = {"Double": np.float64, "CudaDouble": np.float64}.get(options.kind, np.float32)
        self.backend = "nn" if options.nn else "cudnn"

    def tensor(self, values: np.ndarray) -> Tensor:
        return tensor(values.astype(self.dtype), self.o.kind)

    def empty(self) -> Tensor:
        return Tensor(self.o.kind, None, (), ())

    def module(self, name: str, **fields: Any) -> Object:
        """Return a module with the fields that every nn.Module has."""
        common = {"_type": f"torch.{self.o.kind}Tensor", "train": False}
        return Object(name, {**common, "output": self.empty(), "gradInput": self.empty(), **fields})

    def container(self, name: str, *modules: Object, **fields: Any) -> Object:
        return self.module(name, modules=list(modules), **fields)

    def sequential(self, *modules: Object) -> Object:
        return self.container("nn.Sequential", *modules)

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1
    ) -> Object:
        shape: tuple[int, ...] = (outputs, inputs // groups, kernel, kernel)
        fan_in = math.prod(shape[1:])
        weight = self.rng.normal(0, 1 / math.sqrt(fan_in), shape)
        if self.o.weights_2d:
            weight = weight.reshape(outputs, -1)
        sides = {"k": kernel, "d": stride, "pad": pad}
        fields: dict[str, Any] = {f"{key}{axis}": n for key, n in sides.items() for axis in "WH"}
        fields |= {"nInputPlane": inputs, "nOutputPlane": outputs}
        fields |= {"weight": self.tensor(weight), "gradWeight": self.tensor(weight * 0)}
        if not self.o.nn:
            fields["groups"] = groups
        if self.o.conv_bias:
            bias = self.rng.normal(0, 0.1, outputs)
            fields |= {"bias": self.tensor(bias), "gradBias": self.tensor(bias * 0)}
        name = f"{self.backend}.SpatialConvolution"
        return self.module("nn.SpatialConvolutionMM" if self.o.weights_2d else name, **fields)

    def bare(self, convolution: Object) -> Object:
        """Take the bias off a convolution that no batch norm follows."""
        if not self.o.last_bias:
            convolution.fields.pop("bias", None)
            convolution.fields.pop("gradBias", None)
        return convolution

    def bn(self, width: int) -> Object:
        variance = self.rng.uniform(0.5, 1.5, width).astype(np.float32)
        fields = {
            "eps": 1e-5,
            "momentum": 0.1,
            "affine": True,
            "weight": self.tensor(self.rng.uniform(0.5, 1.5, width)),
            "bias": self.tensor(self.rng.normal(0, 0.1, width)),
            "gradWeight": self.tensor(np.zeros(width)),
            "gradBias": self.tensor(np.zeros(width)),
            "running_mean": self.tensor(self.rng.normal(0, 0.1, width)),
        }
        if self.o.running_std:
            fields["running_std"] = self.tensor((variance + np.float32(1e-5)) ** -0.5)
        else:
            fields["running_var"] = self.tensor(variance)
        return self.module("nn.SpatialBatchNormalization", **fields)

    def relu(self) -> Object:
        if self.o.nn:
            return self.module("nn.ReLU", threshold=0, val=0, inplace=True)
        return self.module("cudnn.ReLU", inplace=True, mode="CUDNN_ACTIVATION_RELU")

    def pool(self, name: str, kernel: int, stride: int, pad: int = 0, **fields: Any) -> Object:
        sides = {"k": kernel, "d": stride, "pad": pad}
        window = {f"{key}{axis}": n for key, n in sides.items() for axis in "WH"}
        return self.module(name, **window, ceil_mode=False, **fields)

    def shortcut(self, inputs: int, outputs: int, stride: int, *, norm: bool) -> Object:
        if self.o.shortcut == "C" or (self.o.shortcut == "B" and inputs != outputs):
            projection = self.conv(inputs, outputs, 1, stride)
            if norm and self.o.projection_norm:
                return self.sequential(projection, self.bn(outputs))
            if self.o.pre:
                self.bare(projection)
            return projection if self.o.bare_projection else self.sequential(projection)
        if inputs != outputs:
            return self.sequential(
                self.pool("nn.SpatialAveragePooling", 1, stride, divide=True),
                self.container(
                    "nn.Concat",
                    self.module("nn.Identity"),
                    self.module("nn.MulConstant", constant_scalar=0, inplace=False),
                    dimension=2,
                ),
            )
        return self.module("nn.Identity")

    def branch(self, inputs: int, n: int, stride: int) -> list[Object]:
        """List a branch, convolution to convolution, without batch norms at its ends."""
        if self.o.block == "basic":
            return [
                self.conv(inputs, n, 3, stride, 1),
                self.bn(n),
                self.relu(),
                self.conv(n, n, 3, 1, 1),
            ]
        width, groups = n, 1
        if self.o.block != "resnet":
            width = math.floor(n * self.o.base_width / self.o.base)
            groups = self.o.cardinality
        if self.o.block == "resnext_B":
            parts = [self.sequential(*self.two(inputs, width, stride, 1)) for _ in range(groups)]
            split = [
                self.container("nn.ConcatTable", *parts),
                self.module("nn.JoinTable", dimension=2),
            ]
        else:
            split = self.two(inputs, width * groups, stride, groups)
        return [*split, self.conv(width * groups, n * 4, 1)]

    def two(self, inputs: int, width: int, stride: int, groups: int) -> list[Object]:
        return [
            self.conv(inputs, width, 1),
            self.bn(width),
            self.relu(),
            self.conv(width, width, 3, stride, 1, groups),
            self.bn(width),
            self.relu(),
        ]

    def block(self, n: int, stride: int, position: str) -> Object:
        inputs, outputs = self.planes, n * (1 if self.o.block == "basic" else 4)
        self.planes = outputs
        branch = self.branch(inputs, n, stride)
        add = self.module("nn.CAddTable", inplace=True)
        if self.o.pre:
            self.bare(branch[-1])
            shortcut = self.shortcut(inputs, outputs, stride, norm=self.o.pre_branch)
            before = [] if position == "no_preact" else [self.bn(inputs), self.relu()]
            if position == "both_preact":
                fork = self.container("nn.ConcatTable", self.sequential(*branch), shortcut)
                return self.sequential(*before, fork, add)
            fork = self.container("nn.ConcatTable", self.sequential(*before, *branch), shortcut)
            return self.sequential(fork, add)
        if self.o.bn_after_add:
            shortcut = self.shortcut(inputs, outputs, stride, norm=False)
            fork = self.container("nn.ConcatTable", self.sequential(*branch), shortcut)
            return self.sequential(fork, add, self.bn(outputs), self.relu())
        shortcut = self.shortcut(inputs, outputs, stride, norm=True)
        whole = self.sequential(*branch, self.bn(outputs))
        return self.sequential(self.container("nn.ConcatTable", whole, shortcut), add, self.relu())

    def stage(self, index: int, count: int) -> Object:
        first = "no_preact" if index == 0 and self.o.stem_kind == "imagenet" else "both_preact"
        if self.o.pre_branch:
            first = "plain"
        return self.sequential(
            *(
                self.block(
                    self.o.base * 2**index,
                    2 if index and not position else 1,
                    "plain" if position else first,
                )
                for position in range(count)
            )
        )

    def net(self) -> Object:
        o, imagenet = self.o, self.o.stem_kind == "imagenet"
        stem = self.conv(3, o.stem, 7, 2, 3) if imagenet else self.conv(3, o.stem, 3, 1, 1)
        modules = [stem]
        if imagenet or not o.pre:
            modules += [self.bn(o.stem), self.relu()]
        else:
            self.bare(stem)
        if imagenet:
            modules.append(self.pool(f"{self.backend}.SpatialMaxPooling", 3, 2, 1))
        modules += [self.stage(index, count) for index, count in enumerate(o.counts)]
        if o.pre:
            modules += [self.bn(self.planes), self.relu()]
        average = {} if not o.nn else {"count_include_pad": True, "divide": True}
        modules += [
            self.pool(f"{self.backend}.SpatialAveragePooling", 7 if imagenet else 8, 1, **average),
            self.module(
                "nn.View",
                size=Storage("Long", [self.planes]),
                numElements=self.planes,
                numInputDims=3,
            ),
            self.module(
                "nn.Linear",
                weight=self.tensor(
                    self.rng.normal(0, 1 / math.sqrt(self.planes), (o.classes, self.planes))
                ),
                bias=self.tensor(self.rng.normal(0, 0.1, o.classes)),
                gradWeight=self.tensor(np.zeros((o.classes, self.planes))),
                gradBias=self.tensor(np.zeros(o.classes)),
            ),
        ]
        return self.sequential(*modules)
