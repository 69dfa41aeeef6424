"""Convolutions fused with the addition and ReLU behind them, which saves passes over memory.

They are computed by operators of PyTorch that are not public, or by a kernel of this project. These
are tried first; where their results are not the expected ones, the network stays as it is.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final, Protocol, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.errors import DeviceError
from resnext.fast_path import Choice, Engine, FastPath, choose_first
from resnext.inference.arithmetic import numbered
from resnext.inference.bounds import Growth, KnownBound
from resnext.model import PostActivation, ResNeXt

# Tolerance (relative and absolute) of the comparison with plain convolutions, by data type.
NEAR: Final = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


class FusedConvolution(Protocol):
    """A convolution with what follows it.

    Attributes:
        keeps_nan: NaN stays NaN in the ReLU, as in PyTorch's own.
        repeats: it gives the same bits in each run; else the fastest algorithm is taken, which may
            be another one in the next run.
        refused: why plain operations computed some of its calls; None if none did.
    """

    keeps_nan: ClassVar[bool]
    repeats: ClassVar[bool]
    refused: str | None

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution."""

    def convolved(self, x: Tensor) -> Tensor:
        """Return the convolution of x, with nothing behind it."""

    def rectified(self, x: Tensor) -> Tensor:
        """Return relu(convolution of x)."""

    def added(self, x: Tensor, other: Tensor, through: Self | None) -> Tensor:
        """Return relu(convolution of x + other), or of the other's convolution `through` that.

        The other may be overwritten where nothing is between.
        """


Fuse = type[FusedConvolution]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionEngine(Engine[Fuse]):
    """An implementation of fused convolutions.

    Attributes:
        types: that it computes.
    """

    types: tuple[torch.dtype, ...]


# The fastest first. cuDNN's fused calls cannot be asked for algorithms that repeat their bits, as
# float32 promises to; there a kernel of Triton finishes what cuDNN's plain convolutions leave.
ENGINES: Final = (
    ConvolutionEngine(
        name="oneDNN",
        place=("resnext.inference.onednn", "PackedConvolution"),
        devices=("cpu",),
        types=(torch.float32, torch.bfloat16),
    ),
    ConvolutionEngine(
        name="cuDNN",
        place=("resnext.inference.cudnn_convolution", "CudnnConvolution"),
        devices=("cuda",),
        types=(torch.bfloat16, torch.float16),
    ),
    ConvolutionEngine(
        name="Triton",
        place=("resnext.inference.triton_convolution", "FinishedConvolution"),
        devices=("cuda",),
        types=tuple(NEAR),
    ),
)


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
        self.convolutions = [fuse(convolution)]
        self.known = known

    def forward(self, x: Tensor) -> Tensor:
        """Return what comes out of the ReLU."""
        (only,) = self.convolutions
        if only.keeps_nan or self.known.forget().carry(x, [self.growth], None):
            return only.rectified(x)
        return F.relu(only.convolved(x))


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
    """Return why faster convolutions of a GPU are not used; None where they are, and on a CPU."""
    refused = choose(device, dtype).refused if device.type == "cuda" else ()
    return "; ".join(refused) or None


def unfused(network: nn.Module) -> tuple[str, ...]:
    """Return why plain operations computed some convolutions of a `fused` network, a line each."""
    found = [
        convolution.refused
        for module in network.modules()
        if isinstance(module, Rectified | FusedBlock)
        for convolution in module.convolutions
    ]
    return tuple(dict.fromkeys(reason for reason in found if reason))


def repeats(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether networks are computed by algorithms that give the same bits in each run."""
    fuse = choose(device, dtype).chosen
    return fuse is None or fuse.repeats


def choose(device: torch.device, dtype: torch.dtype) -> Choice[Fuse]:
    """Try the fused convolutions of a device for a data type, once, until some compute it."""
    return _chosen(numbered(device), dtype)


@cache
def _chosen(device: torch.device, dtype: torch.dtype) -> Choice[Fuse]:
    engines = (each for each in ENGINES if device.type in each.devices and dtype in each.types)
    return choose_first(_fast_path(engine, device, dtype) for engine in engines)


def _fast_path(
    engine: ConvolutionEngine, device: torch.device, dtype: torch.dtype
) -> FastPath[Fuse]:
    def attempt() -> Fuse | None:
        fuse = engine.load()
        return fuse if agrees(fuse, device, dtype) else None

    return FastPath(
        label=f"{engine.name} does not add and rectify on {device}",
        attempt=attempt,
        disagreement="its answers are not the plain ones",
    )


# Kernel, stride and groups of the convolutions that are tried.
TRIED: Final = ((3, 1, 8), (3, 2, 4), (1, 1, 1), (1, 2, 1))


def agrees(fuse: Fuse, device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether fused convolutions compute what plain ones do.

    That depends on the build of torch and on the processor: bfloat16 needs AVX-512, for example.

    Raises:
        DeviceError: plain ones had to compute some of what was tried, for the reason given.
    """
    with torch.inference_mode():
        return all(_agrees(fuse, device, dtype, *shape) for shape in TRIED)


def _agrees(
    fuse: Fuse, device: torch.device, dtype: torch.dtype, kernel: int, stride: int, groups: int
) -> bool:
    plain = _trial(device, dtype, kernel, stride, groups)
    projection = _trial(device, dtype, 1, stride, 1)
    x = torch.linspace(0, 1600, 2 * 32 * 25).cos().view(2, 32, 5, 5)
    x = x.to(device, dtype).contiguous(memory_format=torch.channels_last)
    other = x[:, :, ::stride, ::stride].contiguous(memory_format=torch.channels_last)
    quick, beside = fuse(plain), fuse(projection)
    found = (
        quick.rectified(x),
        quick.added(x, other.clone(), None),
        quick.added(x, x.clone(), beside),
    )
    expected = (
        F.relu(plain(x)),
        F.relu(plain(x) + other),
        F.relu(plain(x) + projection(x)),
    )
    if reason := quick.refused or beside.refused:
        raise DeviceError(reason)
    near = NEAR[dtype]
    pairs = zip(found, expected, strict=True)
    return all(torch.allclose(one, two, rtol=near, atol=near) for one, two in pairs)


def _trial(
    device: torch.device, dtype: torch.dtype, kernel: int, stride: int, groups: int
) -> nn.Conv2d:
    """Return a convolution of 32 channels with different weights."""
    found = nn.Conv2d(
        32, 32, kernel, stride, kernel // 2, groups=groups, device=device, dtype=dtype
    )
    for parameter in found.parameters():
        values = torch.linspace(0, parameter.numel(), parameter.numel()).sin() / 10
        parameter.copy_(values.view_as(parameter))
    return found
