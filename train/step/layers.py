"""What changes in a network while it is trained; its parameters and names stay the same."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from resnext.model import ResNeXt

AXES = (0, 2, 3)  # of (N, C, H, W), all but the channels


class RecomputedStage(nn.Sequential):
    """A stage that keeps the input of each block only, and computes the rest again to learn."""

    def forward(self, x: Tensor) -> Tensor:
        """Return what the blocks return."""
        for block in self:
            if self.training:
                x = checkpoint(block, x, use_reentrant=False, context_fn=partial(_twice, block))
            else:
                x = block(x)
        return x


class _Uncounted:
    """While it lasts, the batch norms of a module leave their running statistics as they are.

    They are still given, at a momentum of 0: without them autograd would keep other tensors than
    the first time, and refuse.
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


def _twice(block: nn.Module) -> tuple[Any, Any]:
    """Return the contexts of a block's first and second forward pass."""
    return nullcontext(), _Uncounted(block)


def save_memory(network: ResNeXt) -> None:
    """Let each stage compute its activations again instead of keeping them."""
    for name in network.stage_names:
        stage = network.get_submodule(name)
        network.set_submodule(name, RecomputedStage(*stage.children()))


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the pictures of all processes, on any device.

    PyTorch's own `SyncBatchNorm` runs on GPUs only. Processes may have different numbers of
    pictures.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W), normalised."""
        if not self.training:
            return super().forward(x)
        y, mean, variance, count = _apply(x, self.weight, self.bias, self.eps)
        self._count(mean, variance, float(count[0]))
        found: Tensor = y
        return found

    @torch.no_grad()
    def _count(self, mean: Tensor, variance: Tensor, count: float) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        unbiased = variance * (count / max(count - 1, 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


class _Synced(Function):
    """Normalise by the statistics of all processes; the gradient is exact across them."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        wide = x.float()
        variance, mean = torch.var_mean(wide, AXES, correction=0)
        pixels = torch.full_like(mean, x.numel() // x.shape[1])
        mean, variance, total = _combined(mean, variance, pixels)
        inverse = torch.rsqrt(variance + eps)
        normalised = (wide - _column(mean)) * _column(inverse)
        ctx.save_for_backward(normalised, weight, inverse, total)
        y = normalised * _column(weight) + _column(bias)
        ctx.mark_non_differentiable(mean, variance, total)
        return y.to(x.dtype), mean, variance, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        normalised, weight, inverse, total = ctx.saved_tensors
        wide = gradient.float()
        bias_gradient = wide.sum(AXES)
        weight_gradient = (wide * normalised).sum(AXES)
        sums = torch.stack([bias_gradient, weight_gradient])
        distributed.all_reduce(sums)
        mean_gradient, mean_product = sums / total
        inner = wide - _column(mean_gradient) - normalised * _column(mean_product)
        x_gradient = inner * _column(inverse * weight)
        return x_gradient.to(gradient.dtype), weight_gradient, bias_gradient, None


_apply: Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]] = _Synced.apply


def _combined(mean: Tensor, variance: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and count (C,) over all processes from those of each."""
    own = torch.stack([mean, variance, count])
    everyone = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyone, own)
    means, variances, counts = torch.stack(everyone, dim=1)  # each (processes, C)
    total = counts.sum(0)
    mean = (means * counts).sum(0) / total
    variance = ((variances + (means - mean) ** 2) * counts).sum(0) / total
    return mean, variance, total


def _column(values: Tensor) -> Tensor:
    return values[:, None, None]


def synchronise(network: ResNeXt, device: torch.device) -> None:
    """Let every batch norm see the pictures of all processes; a GPU takes PyTorch's own kind."""
    if device.type == "cuda":
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        convert(network)
        return
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            synced = SyncedBatchNorm(
                module.num_features, module.eps, module.momentum, device=device
            )
            synced.load_state_dict(module.state_dict())
            network.set_submodule(name, synced)
