"""Activation checkpointing: activations are recomputed in the backward pass instead of kept."""

from contextlib import nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from resnext.model import ResNeXt


def recompute_activations(network: ResNeXt) -> None:
    """Make each stage of a network recompute its activations; parameter names stay the same."""
    for name in network.stage_names:
        stage = network.get_submodule(name)
        network.set_submodule(name, RecomputedStage(*stage.children()))


class RecomputedStage(nn.Sequential):
    """A stage that keeps only the input of each block, and recomputes the rest when it trains."""

    def forward(self, x: Tensor) -> Tensor:
        """Return what the blocks return."""
        for block in self:
            if self.training:
                x = checkpoint(block, x, use_reentrant=False, context_fn=partial(_contexts, block))
            else:
                x = block(x)
        return x


class _KeptStatistics:
    """A context in which the batch norms of a module do not update their running statistics.

    The recomputation would otherwise update them a second time. They are updated with a momentum of
    0 instead of being left out: without them autograd would save other tensors than in the first
    pass, and refuse.
    """

    def __init__(self, module: nn.Module) -> None:
        self.norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
        self.momenta = [norm.momentum for norm in self.norms]

    def __enter__(self) -> None:
        for norm in self.norms:
            norm.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for norm, momentum in zip(self.norms, self.momenta, strict=True):
            norm.momentum = momentum
            if norm.training and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.sub_(1)


def _contexts(block: nn.Module) -> tuple[Any, Any]:
    """Return the contexts of a block's forward pass and of its recomputation."""
    return nullcontext(), _KeptStatistics(block)
