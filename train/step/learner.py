"""One step of training: micro-batches in, updated weights out."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from resnext.inference.arithmetic import DTYPES, Precision, arithmetic
from resnext.inference.compilation import compilation_explained
from resnext.inference.pending import PendingValues
from resnext.model import ResNeXt
from train.recipe.recipe import Recipe
from train.step.activation_checkpointing import recompute_activations
from train.step.average import ExponentialAverage
from train.step.batch_counters import BatchCounters
from train.step.loss import DivergedError, Mixup, Objective
from train.step.micro_batch import MicroBatch
from train.step.optimizer import build_optimizer, takes_fused
from train.step.parameters import parameter_groups, set_training
from train.step.pending_step import PendingStep, StepResult

# Consecutive steps that fp16 may skip while the loss scale is halved: from 2**16 to below 1.
MOST_SKIPPED: Final = 20
# An option of PyTorch's compiler.
DETERMINISTIC: Final = "deterministic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and how a step is computed; nothing here changes what is computed.

    Attributes:
        device: of this process.
        processes: of the job; they share each step.
        compiled: the network is compiled with `torch.compile`.
        saves_memory: activations are recomputed in the backward pass.
        deterministic: a GPU gives the same bits in each run.
        ahead: steps that are started before the result of one is waited for. A GPU that is waited
            for after each step is idle until the next is started.
        norm_every: of an epoch's steps, from the first on, the norm of every so many gradients is
            measured, where the step itself does not need it.
    """

    device: torch.device
    processes: int = 1
    compiled: bool = False
    saves_memory: bool = False
    deterministic: bool = False
    ahead: int = 0
    norm_every: int = 1


class Learner:
    """A network with its optimiser: all that a step changes.

    Attributes:
        network: being trained; its parameters have the names of the plain network's.
        optimizer: of the recipe; each parameter group has a `factor` of the learning rate.
        scaler: of the loss; active in fp16 only.
        average: exponential moving average of the weights, or None.
        skipped: consecutive steps that fp16 has skipped.
    """

    def __init__(
        self, network: ResNeXt, recipe: Recipe, machine: Machine, objective: Objective
    ) -> None:
        """Prepare a network for training; this object owns it from here on.

        Args:
            network: float32, on any device.
            recipe: how it is trained.
            machine: where it is trained; with several processes, all get the weights of rank 0.
            objective: the loss function, on the machine's device.
        """
        self.recipe, self.machine, self.objective = recipe, machine, objective
        self.network = network.to(machine.device)
        if recipe.channels_last and machine.device.type == "cuda":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if machine.saves_memory:
            recompute_activations(self.network)
        if recipe.sync_bn and machine.processes > 1:
            convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
            convert(self.network)
        groups = parameter_groups(
            self.network, freeze=recipe.freeze, layer_decay=recipe.layer_decay
        )
        set_training(self.network, recipe.freeze)  # also where it trains already: some is frozen
        self.precision = Precision(recipe.precision)
        self.optimizer = build_optimizer(
            groups, recipe, fused=takes_fused(machine.device, self.precision)
        )
        half = self.precision is Precision.FP16
        self.scaler = torch.amp.GradScaler(machine.device.type, enabled=half)
        self.average: ExponentialAverage | None = None
        if recipe.ema:
            self.average = ExponentialAverage(self.network.state_dict(), decay=recipe.ema)
        self.skipped = 0
        self._counters = BatchCounters(self.network)
        self._trained = self._wrapped()

    def step(self, micro_batches: Sequence[MicroBatch], **how: Any) -> StepResult:
        """Take a step, and wait for its result; see `start` and `finish`."""
        return self.finish(self.start(micro_batches, **how))

    def start(
        self,
        micro_batches: Sequence[MicroBatch],
        *,
        lr: float,
        weight: float,
        number: int,
        mix: Mixup | None = None,
        measured: bool = True,
    ) -> PendingStep:
        """Take a step, which a GPU may still be computing when this returns.

        Args:
            micro_batches: those of this process.
            lr: the learning rate.
            weight: total weight of the images of all processes, by which the sum of their losses
                is divided.
            number: of the step in the run, counted from 1.
            mix: how images are mixed, or None.
            measured: the norm of the gradient is wanted; else it is measured only where the step
                itself needs it.

        Raises:
            DivergedError: the loss or the gradient is not finite; the weights are unchanged. With
                `machine.ahead`, `finish` raises it instead, and the weights are lost.
            DeviceError: the network cannot be compiled on this device.
        """
        if not self.network.training:
            set_training(self.network, self.recipe.freeze)
        with arithmetic(self.precision, deterministic=self.machine.deterministic):
            self.optimizer.zero_grad(set_to_none=True)
            losses, wrongs = self._accumulate(micro_batches, weight=weight, mix=mix)
            norms = [self._clipped()] if measured or self._needs_norm() else []
            pending = PendingStep(
                number=number,
                images=sum(len(each.labels) for each in micro_batches),
                parts=len(micro_batches),
                values=PendingValues.of(torch.stack([*losses, *wrongs, *norms])),
            )
            if not self.machine.ahead:
                self._check(pending.result(), number)
            for group in self.optimizer.param_groups:
                group["lr"] = lr * group["factor"]
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.average is not None:
                self.average.update(step=number)
        return pending

    def finish(self, pending: PendingStep) -> StepResult:
        """Return the result of a step; steps are finished in the order in which they started.

        Raises:
            DivergedError: see `start`.
        """
        result = pending.result()
        if self.machine.ahead:
            self._check(result, pending.number)
        return result

    def _accumulate(
        self, micro_batches: Sequence[MicroBatch], *, weight: float, mix: Mixup | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Accumulate the gradients of the micro-batches.

        Returns:
            For each micro-batch the sum of its losses and the number of wrongly classified images,
            float32, which the device may still be computing.
        """
        losses, wrongs = [], []
        # One autocast for all parts: its cache keeps the weights that are cast for the first.
        with self._counters.passes(len(micro_batches)), self._autocast():
            for left, each in enumerate(micro_batches, 1 - len(micro_batches)):
                inputs = each.inputs.to(self.machine.device, non_blocking=True)
                labels = each.labels.to(self.machine.device, non_blocking=True)
                if self.recipe.channels_last:
                    inputs = inputs.contiguous(memory_format=torch.channels_last)
                with self._exchange(last=not left), any_strides(), compilation_explained():
                    logits = self._trained(inputs if mix is None else mix.images(inputs))
                    with self._autocast(enabled=False):
                        total = self._backward(logits, labels, weight=weight, mix=mix)
                losses.append(total.detach())
                expected = labels if mix is None else mix.main_labels(labels)
                wrong = logits.detach().argmax(1) != expected
                wrongs.append(wrong.sum(dtype=torch.float32))
        return losses, wrongs

    def _backward(
        self, logits: Tensor, labels: Tensor, *, weight: float, mix: Mixup | None
    ) -> Tensor:
        """Add the gradients of a micro-batch to those before, and return the sum of its losses."""
        total = self.objective.total(logits, labels, mix)
        # DistributedDataParallel averages gradients over processes; this makes it a sum.
        torch.autograd.backward(self.scaler.scale(total * (self.machine.processes / weight)))
        return total

    def _needs_norm(self) -> bool:
        """Tell whether a step cannot do without the norm of its gradient.

        Clipping and fp16's scale need it, and where each step is waited for, a gradient that is not
        finite leaves the weights alone.
        """
        return bool(self.recipe.clip) or self.scaler.is_enabled() or not self.machine.ahead

    def _clipped(self) -> Tensor:
        """Clip the gradient as the recipe says, and return its norm before that."""
        self.scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.recipe.clip:
            return nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        gradients = [p.grad for p in parameters if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def _check(self, result: StepResult, number: int) -> None:
        loss, norm = result.loss, 0.0 if result.norm is None else result.norm
        if isfinite(loss) and isfinite(norm):
            self.skipped = 0
            return
        self.skipped += 1
        if self.scaler.is_enabled() and self.skipped <= MOST_SKIPPED:
            return  # the scaler skips this step and halves the scale
        found = f"gradient norm {norm:g}" if isfinite(loss) else f"loss {loss:g}"
        raise DivergedError(f"step {number}: a finite loss expected, found {found}")

    def _autocast(self, *, enabled: bool = True) -> AbstractContextManager[Any]:
        dtype = DTYPES[self.precision]
        if dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.machine.device.type, dtype=dtype, enabled=enabled)

    def _exchange(self, *, last: bool) -> AbstractContextManager[Any]:
        """Make processes exchange gradients after the last micro-batch of a step only."""
        if isinstance(self._parallel, DistributedDataParallel) and not last:
            return self._parallel.no_sync()
        return nullcontext()

    def _wrapped(self) -> nn.Module:
        """Return the network as it is called: distributed over processes, and compiled."""
        self._parallel: nn.Module = self.network
        if self.machine.processes > 1:
            # Each forward pass copies rank 0's batch norm statistics to all processes: a run that
            # is resumed from rank 0's state is then the same run.
            self._parallel = DistributedDataParallel(self.network)
        if self.machine.compiled:
            # The last batch of an epoch may be smaller, and is compiled separately: code for any
            # batch size would be slower for all others.
            return cast(
                "nn.Module",
                torch.compile(self._parallel, dynamic=False, options=self._compiler_options()),
            )
        return self._parallel

    def _compiler_options(self) -> dict[str, Any] | None:
        """Return what keeps the compiler from choosing by speed, which changes the last digits."""
        if not self.machine.deterministic:
            return None
        from torch._inductor import config  # which takes a second

        # Before PyTorch 2.9 there was no such option.
        return {DETERMINISTIC: True} if hasattr(config, DETERMINISTIC) else None


@contextmanager
def any_strides() -> Iterator[None]:
    """Silence PyTorch's warning that gradients are copied before processes exchange them.

    With inputs in channels-last memory format, the gradients of 1 x 1 convolutions have that
    format too. The copy that PyTorch warns of is small.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        yield
