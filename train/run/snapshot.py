"""What a learner knows, as arrays and back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.distributed.job import Job
from train.errors import StateError
from train.run.progress import Progress
from train.run.state import State
from train.step.learner import Learner

Arrays = dict[str, NDArray[np.generic]]

BUFFER = "momentum_buffer"


def to_arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Copy tensors from wherever they live."""
    return {
        name: np.array(tensor.detach().cpu().contiguous().numpy())
        for name, tensor in tensors.items()
    }


def shared_arrays(tensors: Mapping[str, Tensor], job: Job) -> Arrays:
    """Copy the tensors of rank 0, on every rank: batch norm may have seen others elsewhere."""
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    job.share(copies.values())
    return {name: copy.numpy() for name, copy in copies.items()}


def to_state(
    learner: Learner,
    progress: Progress,
    identity: Mapping[str, Any],
    decisions: NDArray[np.int32],
) -> State:
    """Return a run as it is between two steps."""
    return State(
        identity=identity,
        progress=progress,
        network=to_arrays(learner.network.state_dict()),
        momentum=to_arrays(_momentum(learner)),
        average=to_arrays(learner.average.tensors) if learner.average else {},
        scaler={"scaler": learner.scaler.state_dict(), "skipped": learner.skipped},
        decisions=decisions,
    )


def restore(learner: Learner, state: State | None, job: Job, path: Path) -> None:
    """Bring the learners of all processes to where a run was.

    Args:
        learner: of the same recipe and network.
        state: of the run, on the process that leads; None on the others.
        job: the processes.
        path: of the state, for messages.

    Raises:
        StateError: it holds other tensors than this run has.
    """
    mine: dict[str, Any] = {}
    if state is not None:
        mine = {"scaler": state.scaler, "momentum": list(state.momentum)}
    facts = job.tell(mine)
    parameters = dict(learner.network.named_parameters())
    if unknown := set(facts["momentum"]) - set(parameters):
        raise StateError(f"{path}: momentum of a parameter expected, found {min(unknown)!r}")
    for name in facts["momentum"]:
        learner.optimiser.state[parameters[name]][BUFFER] = torch.zeros_like(parameters[name])
    average = learner.average.tensors if learner.average else {}
    kinds: Iterable[tuple[Mapping[str, Tensor], Mapping[str, NDArray[np.generic]]]] = (
        (learner.network.state_dict(), state.network if state else {}),
        (_momentum(learner), state.momentum if state else {}),
        (average, state.average if state else {}),
    )
    for targets, arrays in kinds:
        if state is not None:
            _check(targets, arrays, path)
        for name, target in targets.items():
            source = torch.empty(target.shape, dtype=target.dtype)
            if state is not None:
                source.copy_(torch.from_numpy(arrays[name]))
            job.share([source])
            with torch.no_grad():
                target.copy_(source)
    if learner.scaler.is_enabled() and not facts["scaler"]["scaler"]:
        raise StateError(
            f"{path}: the scale of the loss expected, found none; start anew with --force"
        )
    learner.scaler.load_state_dict(facts["scaler"]["scaler"])
    learner.skipped = facts["scaler"]["skipped"]


def _momentum(learner: Learner) -> dict[str, Tensor]:
    """Return the optimiser's memory by the names of the parameters that have one."""
    found: dict[str, Tensor] = {}
    for name, parameter in learner.network.named_parameters():
        buffer = learner.optimiser.state[parameter].get(BUFFER)
        if buffer is not None:
            found[name] = buffer
    return found


def _check(targets: Mapping[str, Tensor], arrays: Mapping[str, Any], path: Path) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in targets.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if expected != found:
        names = sorted(set(expected.items()) ^ set(found.items()))
        raise StateError(
            f"{path}: the tensors of this run expected, found others, first {names[0][0]!r}; start "
            "anew with --force"
        )
