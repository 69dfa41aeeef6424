"""Batch norm folded into the convolution before it: fewer passes over memory, the same function."""

from collections.abc import Iterator
from copy import deepcopy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from resnext.model import ResidualBlock, ResNeXt
from resnext.spec import Norm


def folded(network: ResNeXt) -> ResNeXt:
    """Return a copy of a network with every batch norm that follows a convolution folded into it.

    Computed in float64; the logits differ from the network's own by rounding only. Batch norms
    that follow an addition or stand before a block stay.

    Args:
        network: in evaluation mode, on the CPU, float32.
    """
    weights = [owner.get_submodule(name).weight for owner, name, _ in _pairs(network)]
    copy = deepcopy(network, {id(each): each for each in weights})  # these are replaced
    for owner, convolution, norm in _pairs(copy):
        conv, bn = owner.get_submodule(convolution), owner.get_submodule(norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(bn, nn.BatchNorm2d)
        bn = bn.double()
        assert bn.running_mean is not None
        assert bn.running_var is not None
        # float32 times float64 is float64, which is rounded to the float32 of the weights.
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )
        owner.set_submodule(norm, nn.Identity())
    return copy.eval()


def _pairs(network: ResNeXt) -> Iterator[tuple[nn.Module, str, str]]:
    """Yield (module, name of its convolution, name of the batch norm right behind it)."""
    if network.bn1 is not None:
        yield network, "conv1", "bn1"
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            yield from ((block, *names) for names in _pairs_of_block(block, network.spec.norm))


def _pairs_of_block(block: ResidualBlock, norm: Norm) -> Iterator[tuple[str, str]]:
    # Before the activation: the norm behind convolution n is that of convolution n + 1.
    ahead = 1 if norm in (Norm.PRE, Norm.PRE_BRANCH) else 0
    for number in range(1, block.count + 1):
        pair = f"conv{number}", f"bn{number + ahead}"
        if isinstance(getattr(block, pair[1], None), nn.BatchNorm2d):
            yield pair
    shortcut = block.downsample
    if isinstance(shortcut, nn.Sequential):
        kinds = [type(module) for module in shortcut]
        if kinds == [nn.Conv2d, nn.BatchNorm2d]:
            yield "downsample.0", "downsample.1"
