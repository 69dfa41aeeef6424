"""Grouped convolutions as such of fewer and wider groups: more products, of which the new are 0.

Tensor cores work on 8 or 16 channels at once; the groups of a ResNeXt-50 (32x4d) begin with 4.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def widened(network: Network, width: int) -> Network:
    """Return a network whose grouped convolutions read at least so many channels a group.

    Args:
        network: its convolutions are replaced where they are grouped, and narrower.
        width: channels; a group becomes as wide as can be made of whole groups.
    """
    for module in network.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and child.groups > 1:
                setattr(module, name, _wide(child, width))
    return network


def _wide(convolution: nn.Conv2d, width: int) -> nn.Conv2d:
    narrow, groups = convolution.in_channels // convolution.groups, convolution.groups
    fewest = min(-(-width // narrow), groups)
    joined = next(n for n in range(fewest, groups + 1) if groups % n == 0)
    if joined == 1:
        return convolution
    wide = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=convolution.stride,  # type: ignore[arg-type]
        padding=convolution.padding,  # type: ignore[arg-type]
        groups=groups // joined,
        bias=convolution.bias is not None,
    )
    with torch.no_grad():
        wide.weight.copy_(_diagonal(convolution.weight, groups, joined))
        if wide.bias is not None:
            wide.bias.copy_(convolution.bias)
    return wide.to(convolution.weight)


def _diagonal(weight: Tensor, groups: int, joined: int) -> Tensor:
    """Return weights (outputs, joined * inputs, h, w) that are 0 outside the old groups."""
    outputs, inputs, *kernel = weight.shape
    wide = weight.new_zeros(outputs, joined, inputs, *kernel)
    place = torch.arange(outputs) // (outputs // groups) % joined
    wide[torch.arange(outputs), place] = weight
    return wide.flatten(1, 2)
