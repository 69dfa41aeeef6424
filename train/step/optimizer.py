"""The optimiser of a recipe, and what it remembers from step to step."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import torch
from torch import Tensor, nn

from resnext.inference.arithmetic import Precision
from train.recipe.recipe import Optimizer, Recipe

# What an optimiser keeps for each parameter: a name in saved states -> its key in torch.
MEMORY: Final[Mapping[Optimizer, Mapping[str, str]]] = {
    Optimizer.SGD: {"momentum": "momentum_buffer"},
    Optimizer.ADAMW: {"exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "step": "step"},
}
# Of these, one number a parameter, which torch keeps on the CPU where the optimiser is not fused.
COUNTERS: Final = ("step",)


def takes_fused(device: torch.device, precision: Precision) -> bool:
    """Tell whether all of a step's updates are one kernel: on NVIDIA GPUs, but not in fp16.

    Each parameter is then read and written once; PyTorch's usual way passes over the parameters,
    their gradients and the momentum five times. In fp16 the loss scaler leaves out steps, and
    PyTorch's fused SGD would keep as momentum what such a first step has never written.

    Args:
        device: of the parameters.
        precision: of the training.
    """
    return device.type == "cuda" and precision is not Precision.FP16


def build_optimizer(
    groups: list[dict[str, Any]], recipe: Recipe, *, fused: bool = False
) -> torch.optim.Optimizer:
    """Return an optimiser over parameter groups.

    Args:
        groups: as `train.step.parameters.parameter_groups` returns them.
        recipe: names the optimiser and its values.
        fused: see `takes_fused`; else PyTorch chooses.
    """
    kernel = True if fused else None
    match recipe.optimizer:
        case Optimizer.SGD:
            return torch.optim.SGD(
                groups,
                lr=recipe.scaled_lr,
                momentum=recipe.momentum,
                nesterov=recipe.momentum > 0,
                weight_decay=recipe.weight_decay,
                fused=kernel,
            )
        case Optimizer.ADAMW:
            return torch.optim.AdamW(
                groups,
                lr=recipe.scaled_lr,
                betas=recipe.betas,
                eps=recipe.eps,
                weight_decay=recipe.weight_decay,
                fused=kernel,
            )
    assert_never(recipe.optimizer)


def memory_of(
    optimizer: torch.optim.Optimizer, network: nn.Module, kind: Optimizer
) -> dict[str, dict[str, Tensor]]:
    """Return what an optimiser remembers, not copied: name -> name of the parameter -> tensor.

    It is empty before the first step, and holds no frozen parameter.

    Args:
        optimizer: of the network's parameters.
        network: whose parameters these are.
        kind: of the optimiser.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name, key in MEMORY[kind].items():
        for parameter_name, parameter in network.named_parameters():
            value = optimizer.state.get(parameter, {}).get(key)
            if value is not None:
                found.setdefault(name, {})[parameter_name] = value
    return found


def prepare_memory(
    optimizer: torch.optim.Optimizer, network: nn.Module, kind: Optimizer, names: list[str]
) -> None:
    """Give an optimiser that has taken no step a memory of zeros, to be overwritten.

    Args:
        optimizer: of the network's parameters.
        network: whose parameters these are.
        kind: of the optimiser.
        names: of the parameters that get a memory.

    Raises:
        KeyError: the network has no parameter of a name.
    """
    parameters = dict(network.named_parameters())
    fused = bool(optimizer.defaults["fused"])
    for parameter in [parameters[name] for name in names]:
        counter = torch.zeros((), device=parameter.device if fused else "cpu")
        optimizer.state[parameter] = {
            key: counter.clone() if name in COUNTERS else torch.zeros_like(parameter)
            for name, key in MEMORY[kind].items()
        }
