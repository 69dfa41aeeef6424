"""Which parameters learn, and how fast."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from torch import nn

from resnext.model import ResNeXt
from train.recipe.parts import STEM, parts_up_to


def frozen(network: ResNeXt, last: str) -> tuple[nn.Module, ...]:
    """Return the modules up to and with the part `last`; none for "".

    Raises:
        RecipeError: the network has no such part.
    """
    names = parts_up_to(network.spec, last)
    if not names:
        return ()
    stem = [network.conv1, *([network.bn1] if network.bn1 is not None else [])]
    return (*stem, *(network.get_submodule(name) for name in names[1:]))


def set_training(network: ResNeXt, last: str) -> None:
    """Put a network into training mode, and what is frozen of it into evaluation mode.

    A frozen batch norm keeps its statistics too: others would be a change like any other.
    """
    network.train()
    for module in frozen(network, last):
        module.eval()


def groups(network: ResNeXt, *, freeze: str, layer_decay: float) -> list[dict[str, Any]]:
    """Return the groups of parameters for an optimiser, and stop what is frozen from learning.

    Each group has a `factor` of the learning rate. One factor makes one group, so that without
    `layer_decay` everything is in a single one.

    Args:
        network: what is trained.
        freeze: the last part that does not learn; "" freezes nothing.
        layer_decay: the factor of each residual block over that of the next; the classifier has 1.
    """
    for module in frozen(network, freeze):
        module.requires_grad_(requires_grad=False)
    distances = dict(_distances(network))
    found: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            factor = layer_decay ** distances[_layer(name)]
            found.setdefault(factor, []).append(parameter)
    return [{"params": params, "factor": factor} for factor, params in found.items()]


def _distances(network: ResNeXt) -> Iterator[tuple[str, int]]:
    """Yield each layer's name and how many layers lie between it and the end."""
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
