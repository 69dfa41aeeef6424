"""Convolutions fused with the addition and ReLU behind them, which saves passes over memory.

They are computed by operators of PyTorch that are not public, or by a kernel of this project. These
are tried first; where their results are not the expected ones, the network stays as it is.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import ClassVar, Final, Protocol, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.fast_path import Choice, FastPath, choose_first
from resnext.inference.arithmetic import numbered
from resnext.inference.bounds import Growth, KnownBound
from resnext.model import PostActivation, ResNeXt

# Tolerance (relative and absolute) of the comparison with plain convolutions, by data type.
NEAR: Final = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


class FusedConvolution(Protocol):
    """A convolution with what follows it.

    Attributes:
        keeps_nan: NaN stays NaN in the ReLU, as in PyTorch's own.
    """

    keeps_nan: ClassVar[bool]

    def convolved(self, x: Tensor) -> Tensor:
        """Return the convolution of x, with nothing behind it."""

    def rectified(self, x: Tensor) -> Tensor:
        """Return relu(convolution of x)."""

    def added(self, x: Tensor, other: Tensor, through: Self | None) -> Tensor:
        """Return relu(convolution of x + other), or of the other's convolution `through` that.

        The other may be overwritten where nothing is between.
        """


Fuse = Callable[[nn.Conv2d], FusedConvolution]


# By kind of device: name for a report, module, class, and the data types that it computes.
ENGINES: Final = {
    "cpu": (
        "oneDNN",
        "resnext.inference.onednn",
        "PackedConvolution",
        (torch.float32, torch.bfloat16),
    ),
    "cuda": (
        "Triton",
        "resnext.inference.triton_convolution",
        "FinishedConvolution",
        tuple(NEAR),
    ),
}


def fused(network: ResNeXt) -> ResNeXt:
    """Return a folded network whose convolutions take over the additions and ReLUs behind them.

    Networks of the usual order (convolution, batch norm, ReLU) are changed, those of other orders
    stay as they are. The logits are those of the folded network up to the order of a sum.

    Args:
        network: folded, in evaluation mode, on its device, of any type; it is changed.
    """
    weight = network.conv1.weight
    fuse = choose(weight.device, weight.dtype).chosen
    blocks = [
        (network.get_submodule(name), place, block)
        for name in network.stage_names
        for place, block in network.get_submodule(name).named_children()
    ]
    usual = isinstance(network.bn1, nn.Identity) and all(_is_folded(each) for *_, each in blocks)
    if fuse is None or not usual:
        return network
    known = KnownBound(weight.dtype)
    network.set_submodule("conv1", Rectified(network.conv1, fuse, known))
    network.bn1 = None  # and with it the ReLU
    for stage, place, block in blocks:
        stage.set_submodule(place, FusedBlock(cast("PostActivation", block), fuse, known))
    return network


class Rectified(nn.Module):
    """The convolution at the start of a network, and its ReLU."""

    def __init__(self, convolution: nn.Conv2d, fuse: Fuse, known: KnownBound) -> None:
        super().__init__()
        self.growth = Growth(convolution)
        self.convolution = fuse(convolution)
        self.known = known

    def forward(self, x: Tensor) -> Tensor:
        """Return what comes out of the ReLU."""
        if self.convolution.keeps_nan or self.known.forget().carry(x, [self.growth], None):
            return self.convolution.rectified(x)
        return F.relu(self.convolution.convolved(x))


class FusedBlock(nn.Module):
    """A residual block in as many passes over memory as it has convolutions.

    A block that might overflow is computed with PyTorch's own ReLU where the fused one would turn
    NaN into zero.
    """

    def __init__(self, block: PostActivation, fuse: Fuse, known: KnownBound) -> None:
        super().__init__()
        convolutions = [
            cast("nn.Conv2d", block.get_submodule(f"conv{number}"))
            for number in range(1, block.count + 1)
        ]
        self.known = known
        self.branch = [Growth(each) for each in convolutions]
        self.convolutions = [fuse(each) for each in convolutions]
        self.beside: list[Growth] = []
        self.projection = self.padding = None
        if isinstance(block.downsample, nn.Sequential):
            projection = cast("nn.Conv2d", block.downsample[0])
            self.beside = [Growth(projection)]
            self.projection = fuse(projection)
        else:
            self.padding = block.downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride); x may be overwritten."""
        *inner, last = self.convolutions
        quick = last.keeps_nan or self.known.carry(x, self.branch, self.beside)
        y = x
        for convolution in inner:
            y = convolution.rectified(y) if quick else F.relu(convolution.convolved(y))
        if self.padding is not None:
            x = self.padding(x)
        if quick:
            return last.added(y, x, self.projection)
        return F.relu(last.convolved(y) + (self.projection.convolved(x) if self.projection else x))


def _is_folded(block: nn.Module) -> bool:
    """Tell whether a block has the usual order, and no batch norm any more."""
    normalises = any(isinstance(module, nn.BatchNorm2d) for module in block.modules())
    return isinstance(block, PostActivation) and not normalises


def refusal(device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why the convolutions of a GPU are not fused; None where they are, and on a CPU."""
    refused = choose(device, dtype).refused if device.type == "cuda" else ()
    return refused[0] if refused else None


def choose(device: torch.device, dtype: torch.dtype) -> Choice[Fuse]:
    """Try the fused convolutions of a device for a data type, once."""
    return _chosen(numbered(device), dtype)


@cache
def _chosen(device: torch.device, dtype: torch.dtype) -> Choice[Fuse]:
    name, module, kind, types = ENGINES.get(device.type, ("", "", "", ()))
    if dtype not in types:
        return Choice()

    def attempt() -> Fuse | None:
        fuse: Fuse = getattr(import_module(module), kind)
        return fuse if agrees(fuse, device, dtype) else None

    label = f"{name} does not add and rectify on {device}"
    disagreement = "its answers are not the plain ones"
    return choose_first([FastPath(label=label, attempt=attempt, disagreement=disagreement)])


def agrees(fuse: Fuse, device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether fused convolutions compute what plain ones do.

    That depends on the build of torch and on the processor: bfloat16 needs AVX-512, for example.
    """
    plain, projection = (
        nn.Conv2d(32, 32, 3, padding=1, groups=groups, device=device, dtype=dtype)
        for groups in (8, 4)
    )
    with torch.inference_mode():
        for parameter in (*plain.parameters(), *projection.parameters()):
            values = torch.linspace(0, parameter.numel(), parameter.numel()).sin() / 10
            parameter.copy_(values.view_as(parameter))
        x = torch.linspace(0, 1600, 2 * 32 * 25).cos().view(2, 32, 5, 5)
        x = x.to(device, dtype).contiguous(memory_format=torch.channels_last)
        expected = (
            F.relu(plain(x)),
            F.relu(plain(x) + x),
            F.relu(plain(x) + projection(x)),
        )
        quick, beside = fuse(plain), fuse(projection)
        found = (
            quick.rectified(x),
            quick.added(x, x.clone(), None),
            quick.added(x, x.clone(), beside),
        )
        near = NEAR[dtype]
        pairs = zip(found, expected, strict=True)
        return all(torch.allclose(one, two, rtol=near, atol=near) for one, two in pairs)
