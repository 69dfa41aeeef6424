"""Convolutions that add and rectify as they write, on the CPU: what memory passes cost is spared.

The operators are those that torch.compile puts in place of a convolution and what follows it. Used
without the compiler they need neither a C++ compiler nor a minute at the start. They are no public
interface, so they are tried first, and where they do not answer as expected the network stays as it
is.
"""

from functools import cache
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnext.model import PostActivation, ResNeXt

# Types of weights, and how far (relatively and absolutely) an answer may be from the plain one's.
TYPES: Final = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def fused(network: ResNeXt) -> ResNeXt:
    """Return a folded network whose convolutions take over the additions and ReLUs behind them.

    Blocks of the usual order (convolution, batch norm, ReLU) are replaced, those of other orders
    stay. The logits are those of the folded network up to the order of a sum.

    Args:
        network: folded, in evaluation mode, on the CPU, of any type; it is changed.
    """
    dtype = network.conv1.weight.dtype
    if dtype not in TYPES or not _is_available(dtype):
        return network
    for name in network.stage_names:
        stage = network.get_submodule(name)
        for place, block in stage.named_children():
            if isinstance(block, PostActivation) and _is_folded(block):
                stage.set_submodule(place, FusedBlock(block))
    if isinstance(network.bn1, nn.Identity):
        network.conv1 = Rectified(network.conv1)
        network.bn1 = None  # and with it the ReLU
    return network


class PackedConvolution:
    """A convolution whose weights lie in memory as the processor likes them."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over a convolution; its weights are packed when the first input is seen."""
        self.weight = convolution.weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias = None if convolution.bias is None else convolution.bias.detach()
        self.shape: tuple[list[int], list[int], list[int], int] = (
            list(cast("tuple[int, int]", convolution.padding)),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        self.packed: Tensor | None = None

    def __call__(self, x: Tensor, *, rectify: bool) -> Tensor:
        """Return the convolution of x (N, C, H, W), rectified if that is asked for."""
        after = "relu" if rectify else "none"
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight(x), self.bias, *self.shape, after, [], ""
        )
        return answer

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        """Return relu(convolution of x + other), written over the other: it is in the cache."""
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            other, x, self._weight(x), self.bias, *self.shape, "add", 1.0, "relu", [], ""
        )
        return answer

    def _weight(self, x: Tensor) -> Tensor:
        if self.packed is None:
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, *self.shape, list(x.shape)
            )
            self.weight = self.packed  # the plain one is not needed any more
        return self.packed


class Rectified(nn.Module):
    """A convolution and its ReLU."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = PackedConvolution(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """Return what comes out of the ReLU."""
        return self.convolution(x, rectify=True)


class FusedBlock(nn.Module):
    """A residual block in as many operators as it has convolutions."""

    def __init__(self, block: PostActivation) -> None:
        super().__init__()
        convolutions = [
            block.get_submodule(f"conv{number}") for number in range(1, block.count + 1)
        ]
        self.convolutions = [PackedConvolution(cast("nn.Conv2d", each)) for each in convolutions]
        self.projection = self.padding = None
        if isinstance(block.downsample, nn.Sequential):
            self.projection = PackedConvolution(cast("nn.Conv2d", block.downsample[0]))
        else:
            self.padding = block.downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride); x may be overwritten."""
        *inner, last = self.convolutions
        y = x
        for convolution in inner:
            y = convolution(y, rectify=True)
        if self.projection is not None:
            x = self.projection(x, rectify=False)
        elif self.padding is not None:
            x = self.padding(x)
        return last.add(y, x)


def _is_folded(block: PostActivation) -> bool:
    return not any(isinstance(module, nn.BatchNorm2d) for module in block.modules())


@cache
def _is_available(dtype: torch.dtype) -> bool:
    """Tell whether torch has the operators here, and they mean what they are used for.

    Builds differ, and processors do: bfloat16 wants AVX-512, say.
    """
    if not hasattr(torch.ops, "mkldnn"):
        return False
    plain = nn.Conv2d(4, 4, 3, padding=1, groups=2, dtype=dtype)
    with torch.inference_mode():
        for parameter in plain.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
        x = torch.linspace(-2, 2, 4 * 25, dtype=dtype).view(1, 4, 5, 5)
        x = x.contiguous(memory_format=torch.channels_last)
        packed = PackedConvolution(plain)
        try:
            found = packed(x, rectify=False), packed(x, rectify=True), packed.add(x, x.clone())
        except (AttributeError, RuntimeError, TypeError):
            return False
        y = plain(x)
        expected = y, F.relu(y), F.relu(y + x)
    near = TYPES[dtype]
    pairs = zip(found, expected, strict=True)
    return all(torch.allclose(one, two, rtol=near, atol=near) for one, two in pairs)
