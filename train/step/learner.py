"""One step of learning: batches in, changed weights and what was seen out."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from resnext.inference.answer import Answer
from resnext.inference.compilation import compilation_explained
from resnext.inference.predictor import DTYPES, Precision
from resnext.model import ResNeXt
from train.errors import DivergedError
from train.recipe.recipe import Recipe
from train.step.arithmetic import any_strides, training_arithmetic
from train.step.average import Average
from train.step.layers import save_memory, synchronise
from train.step.loss import Mix, Objective
from train.step.parameters import groups, set_training

# Steps in a row that half precision may skip while its scale falls: from 2**16 to below 1.
MOST_SKIPPED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and how a step is computed; none of it is part of what is computed.

    Attributes:
        device: of this process.
        processes: of the job, that share each step.
        compiled: by `torch.compile`.
        saves_memory: activations are computed twice instead of kept.
        deterministic: a GPU gives the same bits each time.
        ahead: steps that are begun before it is looked at what one has seen: a GPU that is waited
            for at each step has nothing to do until the next is begun.
    """

    device: torch.device
    processes: int = 1
    compiled: bool = False
    saves_memory: bool = False
    deterministic: bool = False
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Some pictures of a step, on any device.

    Attributes:
        inputs: (N, 3, H, W) float32.
        labels: (N,) int64.
    """

    inputs: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen in one step, by this process.

    Attributes:
        images: how many.
        loss: the sum of their losses.
        wrong: of them, those decided wrongly before the step; of mixed ones the larger part counts.
        norm: of the gradient, over all processes.
    """

    images: int
    loss: float
    wrong: int
    norm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Begun:
    """A step that a device may still be computing.

    Attributes:
        number: of the step in the run, counted from 1.
        images: of this process.
        facts: the losses of its parts, the numbers of wrong decisions, and the norm.
    """

    number: int
    images: int
    facts: Answer

    def seen(self) -> Seen:
        """Return what was seen, once that is known."""
        *facts, norm = self.facts.wait().tolist()
        parts = len(facts) // 2
        return Seen(
            images=self.images, loss=sum(facts[:parts]), wrong=int(sum(facts[parts:])), norm=norm
        )


class Learner:
    """A network with what it takes to train it.

    Attributes:
        network: what is trained; its parameters are those of the plain network, by name.
        optimiser: SGD, with a `factor` of the learning rate in each of its groups.
        scaler: of the loss; does nothing but in half precision.
        average: of the weights, or None.
        skipped: steps in a row that half precision could not take.
    """

    def __init__(
        self, network: ResNeXt, recipe: Recipe, machine: Machine, objective: Objective
    ) -> None:
        """Prepare a network for training; it is changed from here on.

        Args:
            network: float32, on any device.
            recipe: how it is trained.
            machine: where; of several processes, whose weights become those of rank 0.
            objective: the loss of a picture, on the machine's device.
        """
        self.recipe, self.machine, self.objective = recipe, machine, objective
        self.network = network.to(machine.device)
        if recipe.channels_last and machine.device.type == "cuda":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if machine.saves_memory:
            save_memory(self.network)
        if recipe.sync_bn and machine.processes > 1:
            synchronise(self.network, machine.device)
        self.optimiser = torch.optim.SGD(
            groups(self.network, freeze=recipe.freeze, layer_decay=recipe.layer_decay),
            lr=recipe.scaled_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )
        self.precision = Precision(recipe.precision)
        half = self.precision is Precision.FP16
        self.scaler = torch.amp.GradScaler(machine.device.type, enabled=half)
        self.average = Average(self.network.state_dict(), decay=recipe.ema) if recipe.ema else None
        self.skipped = 0
        self._trained = self._wrapped()

    def step(self, parts: Iterable[Part], **how: Any) -> Seen:
        """Learn from the pictures of a step, and look at what was seen; see `begin` and `look`."""
        return self.look(self.begin(parts, **how))

    def begin(
        self,
        parts: Iterable[Part],
        *,
        rate: float,
        weight: float,
        number: int,
        mix: Mix | None = None,
    ) -> Begun:
        """Learn from the pictures of a step; a GPU may still be at it.

        Args:
            parts: those of this process, one after the other.
            rate: the learning rate.
            weight: what the sum of the losses is divided by, over all processes.
            number: of the step in the run, counted from 1.
            mix: how pictures are mixed.

        Raises:
            DivergedError: the loss or its gradient is not finite; the weights stay as they were.
                Where steps are begun `ahead`, `look` raises it, and the weights are lost.
            DeviceError: the network cannot be compiled here.
        """
        if not self.network.training:
            set_training(self.network, self.recipe.freeze)
        with training_arithmetic(self.precision, deterministic=self.machine.deterministic):
            self.optimiser.zero_grad()
            images, losses, wrongs = self._accumulate(parts, weight=weight, mix=mix)
            facts = torch.stack([fact.float() for fact in (*losses, *wrongs, self._clipped())])
            begun = Begun(number=number, images=images, facts=Answer.of(facts))
            if not self.machine.ahead:
                self._check(begun.seen(), number)
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            self.scaler.step(self.optimiser)
            self.scaler.update()
            if self.average is not None:
                self.average.update(step=number)
        return begun

    def look(self, begun: Begun) -> Seen:
        """Return what was seen in a step, each step's in its turn.

        Raises:
            DivergedError: see `begin`.
        """
        seen = begun.seen()
        if self.machine.ahead:
            self._check(seen, begun.number)
        return seen

    def _accumulate(
        self, parts: Iterable[Part], *, weight: float, mix: Mix | None
    ) -> tuple[int, list[Tensor], list[Tensor]]:
        """Add up the gradients of the parts.

        Returns:
            The number of pictures; for each part the sum of its losses and the number of its wrong
            decisions, which the device may still be computing.
        """
        images, losses, wrongs = 0, [], []
        for part, last in _marked(parts):
            inputs = part.inputs.to(self.machine.device, non_blocking=True)
            labels = part.labels.to(self.machine.device, non_blocking=True)
            if self.recipe.channels_last:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            with self._quiet(last=last), any_strides(), compilation_explained():
                with self._autocast():
                    logits = self._trained(inputs if mix is None else mix.pictures(inputs))
                total = self.objective.total(logits, labels, mix)
                # Processes' gradients are averaged, but their losses belong to one sum.
                scaled = self.scaler.scale(total * (self.machine.processes / weight))
                torch.autograd.backward(scaled)
            images += len(labels)
            losses.append(total.detach())
            shown = labels if mix is None else mix.shown(labels)
            wrongs.append((logits.detach().argmax(1) != shown).sum())
        return images, losses, wrongs

    def _clipped(self) -> Tensor:
        """Return the norm of the gradient, clipped where the recipe says so."""
        self.scaler.unscale_(self.optimiser)
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        if self.recipe.clip:
            return nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        gradients = [p.grad for p in parameters if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def _check(self, seen: Seen, number: int) -> None:
        if isfinite(seen.loss) and isfinite(seen.norm):
            self.skipped = 0
            return
        self.skipped += 1
        if self.scaler.is_enabled() and self.skipped <= MOST_SKIPPED:
            return  # the scaler leaves this step out, and tries a smaller scale
        found = f"gradient norm {seen.norm:g}" if isfinite(seen.loss) else f"loss {seen.loss:g}"
        raise DivergedError(f"step {number}: a finite loss expected, found {found}")

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = DTYPES[self.precision]
        if dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.machine.device.type, dtype=dtype)

    def _quiet(self, *, last: bool) -> AbstractContextManager[Any]:
        """Let processes exchange gradients after the last part only."""
        if isinstance(self._parallel, DistributedDataParallel) and not last:
            return self._parallel.no_sync()
        return nullcontext()

    def _wrapped(self) -> nn.Module:
        """Return what is called to compute logits: the network, in all that surrounds it."""
        self._parallel: nn.Module = self.network
        if self.machine.processes > 1:
            # Each forward pass begins with the statistics of rank 0 in all processes: a run that
            # goes on from rank 0's state is then the same run.
            self._parallel = DistributedDataParallel(self.network)
        if self.machine.compiled:
            # The last batch of an epoch is smaller, and compiled for itself: code for every size
            # would be slower for all others.
            return cast("nn.Module", torch.compile(self._parallel, dynamic=False))
        return self._parallel


def _marked(parts: Iterable[Part]) -> Iterator[tuple[Part, bool]]:
    """Yield each part, and whether it is the last."""
    held: Part | None = None
    for part in parts:
        if held is not None:
            yield held, False
        held = part
    if held is not None:
        yield held, True
