"""Parameter groups: which parameters are trained, and at what fraction of the learning rate."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from torch import nn

from resnext.model import ResNeXt
from train.recipe.recipe import STEM, frozen_parts


def frozen_modules(network: ResNeXt, last: str) -> tuple[nn.Module, ...]:
    """Return the modules of the parts up to and including `last`; none for "".

    Raises:
        RecipeError: the network has no such part.
    """
    names = frozen_parts(network.spec, last)
    if not names:
        return ()
    stem = [network.conv1, *([network.bn1] if network.bn1 is not None else [])]
    return (*stem, *(network.get_submodule(name) for name in names[1:]))


def set_training(network: ResNeXt, last: str) -> None:
    """Put a network into training mode, except its frozen modules.

    These are put into evaluation mode, so that a frozen batch norm keeps its statistics too.
    """
    network.train()
    for module in frozen_modules(network, last):
        module.eval()


def parameter_groups(network: ResNeXt, *, freeze: str, layer_decay: float) -> list[dict[str, Any]]:
    """Return the optimiser's parameter groups; frozen parameters no longer require gradients.

    Each group has a `factor` of the learning rate. There is one group for each factor, so without
    layer decay there is a single group.

    Args:
        network: to train.
        freeze: the last frozen part; "" freezes nothing.
        layer_decay: factor of each residual block relative to the next; the classifier's is 1.
    """
    for module in frozen_modules(network, freeze):
        module.requires_grad_(requires_grad=False)
    distances = dict(_distances(network))
    found: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            factor = layer_decay ** distances[_layer(name)]
            found.setdefault(factor, []).append(parameter)
    return [{"params": params, "factor": factor} for factor, params in found.items()]


def _distances(network: ResNeXt) -> Iterator[tuple[str, int]]:
    """Yield the name of each layer and its distance from the classifier, in layers."""
    blocks = [
        f"{stage}.{number}"
        for stage in network.stage_names
        for number, _ in enumerate(network.get_submodule(stage).children())
    ]
    ends = count()
    for name in ("fc", *reversed(blocks), STEM):
        yield name, next(ends)


def _layer(parameter: str) -> str:
    """Return the layer of a parameter: a residual block, the stem or the classifier."""
    owner = parameter.split(".")
    if owner[0] in ("conv1", "bn1"):
        return STEM
    if owner[0] in ("fc", "bn_last"):
        return "fc"
    return ".".join(owner[:2])
