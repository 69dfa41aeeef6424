"""Saving a learner to a state, and restoring it from one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.distributed.job import Job
from resnext.fields import shown
from resnext.terminal.text import number
from train.input.task import Task
from train.run.extension import extension
from train.run.folder import StateError
from train.run.progress import AVERAGE, WEIGHTS, Progress
from train.run.results import write_missing, write_split
from train.run.state import State
from train.step.learner import Learner
from train.step.optimizer import MEMORY, memory_of, prepare_memory

Arrays = dict[str, NDArray[np.generic]]


def to_arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Copy tensors from any device."""
    return {
        name: np.array(tensor.detach().cpu().contiguous().numpy())
        for name, tensor in tensors.items()
    }


def shared_arrays(tensors: Mapping[str, Tensor], job: Job) -> Arrays:
    """Return, on every rank, a copy of rank 0's tensors; batch norm's statistics may differ."""
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    job.share(copies.values())
    return {name: copy.numpy() for name, copy in copies.items()}


def to_state(
    learner: Learner, progress: Progress, task: Task, decisions: NDArray[np.int32]
) -> State:
    """Return the state of a run between two steps."""
    return State(
        identity=task.identity,
        command_line=task.command_line,
        progress=progress,
        network=to_arrays(learner.network.state_dict()),
        optimizer={kind: to_arrays(named) for kind, named in _memory(learner).items()},
        average=to_arrays(learner.average.tensors) if learner.average else {},
        scaler={"scaler": learner.scaler.state_dict(), "skipped": learner.skipped},
        decisions=decisions,
    )


def restore_run(
    path: Path, task: Task, learner: Learner, job: Job, note: Callable[[str], None]
) -> tuple[Progress, NDArray[np.int32]]:
    """Restore a run from its state, and write those of its results that are missing.

    Args:
        path: of the state, which rank 0 reads.
        task: the training, the same as that of the state.
        learner: of this task, before its first step; is restored.
        job: the processes.
        note: takes a sentence for the user.

    Returns:
        The progress, on every rank, and the decisions (N,) int32 of the best validation, empty on
        all ranks but 0.

    Raises:
        StateError: the state is damaged or that of another run, the best checkpoint is missing, or
            the disk is full.
        OSError: a file cannot be opened or written.
    """
    state = State.load(path) if job.leads else None
    extended = None
    if state is not None:
        extended = extension(
            state, task.recipe, steps=task.identity["steps of an epoch"], path=path
        )
        (extended or state).check(task.identity, path)
        if text := state.other_processes(task.identity):
            note(f"{path}: {text}")
    progress = job.tell(state.progress if state is not None else Progress())
    restore(learner, state, job, path)
    if state is None:
        return progress, np.zeros(0, np.int32)
    networks = {WEIGHTS: state.network, AVERAGE: state.average}
    write_missing(task, progress, {kind: arrays for kind, arrays in networks.items() if arrays})
    write_split(task)
    if extended is not None:
        to_state(learner, progress, task, state.decisions).save(path)
        before, now = state.identity["recipe"]["epochs"], task.recipe.epochs
        note(f"{path}: a run of {number(before, 'epoch')}, from now on of {now}")
    return progress, state.decisions


def restore(learner: Learner, state: State | None, job: Job, path: Path) -> None:
    """Set the learners of all processes to a saved state.

    Args:
        learner: of the same recipe and network.
        state: on rank 0; None on the other ranks.
        job: the processes.
        path: of the state, for messages.

    Raises:
        StateError: it holds other tensors than this run has.
    """
    mine: dict[str, Any] = {}
    if state is not None:
        memory = {kind: list(named) for kind, named in state.optimizer.items()}
        mine = {"scaler": state.scaler, "memory": memory}
    facts = job.tell(mine)
    _prepare_memory(learner, facts["memory"], path)
    average = learner.average.tensors if learner.average else {}
    saved = state.optimizer if state else {}
    kinds: list[tuple[Mapping[str, Tensor], Mapping[str, NDArray[np.generic]]]] = [
        (learner.network.state_dict(), state.network if state else {}),
        *((named, saved.get(kind, {})) for kind, named in _memory(learner).items()),
        (average, state.average if state else {}),
    ]
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


def _memory(learner: Learner) -> dict[str, dict[str, Tensor]]:
    """Return what the optimiser remembers, by kind and name of the parameter."""
    return memory_of(learner.optimizer, learner.network, learner.recipe.optimizer)


def _prepare_memory(learner: Learner, names: Mapping[str, list[str]], path: Path) -> None:
    """Give the optimiser a memory for the parameters that had one when the state was saved.

    Args:
        learner: before its first step.
        names: of the parameters, for each kind of memory.
        path: of the state, for messages.

    Raises:
        StateError: a parameter is unknown, or the optimiser remembers something else of it.
    """
    kinds, parameters = MEMORY[learner.recipe.optimizer], dict(learner.network.named_parameters())
    every = set().union(*names.values())
    if unknown := every - set(parameters):
        raise StateError(
            f"{path}: a parameter of this network expected, found {shown(min(unknown))}"
        )
    for kind in kinds:
        if names and (missing := every - set(names.get(kind, ()))):
            raise StateError(
                f"{path}: {kind} of each parameter expected, none of {shown(min(missing))}"
            )
    prepare_memory(learner.optimizer, learner.network, learner.recipe.optimizer, sorted(every))


def _check(targets: Mapping[str, Tensor], arrays: Mapping[str, Any], path: Path) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in targets.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if expected != found:
        names = sorted(set(expected.items()) ^ set(found.items()))
        raise StateError(
            f"{path}: the tensors of this run expected, found others, first {names[0][0]!r}; start "
            "anew with --force"
        )
