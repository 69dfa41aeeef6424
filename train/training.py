"""A training, from a checked request to the page of a run that is done.

This module and what it imports need torch, which takes seconds to import; `train.request` does what
can be done before.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext

import torch

from resnext.distributed.collectives import losses_explained
from resnext.distributed.job import Job
from resnext.inference.arithmetic import Precision, precision_note
from resnext.loader.batches import memory_explained
from resnext.loader.upload import upload_to
from resnext.machine import keep_freed_memory
from resnext.terminal.watcher import Watcher
from train.input.task import Task, prepare
from train.recipe.batching import check_batches
from train.report.page import write_report
from train.request import Request
from train.run.epoch_input import EpochReading
from train.run.folder import check_output, clear, is_resumed, locked
from train.run.image_check import begin_check, check_images
from train.run.messages import plan
from train.run.resources import (
    Resources,
    check_memory,
    find_resources,
    has_memory_to_keep,
)
from train.run.run import Run
from train.run.stop import Stop
from train.step.learner import Learner, Machine
from train.step.loss import Objective


def train(request: Request, job: Job, watcher: Watcher, stop: Stop) -> Run | None:
    """Build the network, say what will happen, then train to the end.

    Args:
        request: what is trained on what.
        job: the processes that share the training.
        watcher: is told how it goes on.
        stop: is asked between two steps.

    Returns:
        The run, which is done, on rank 0; None on the other ranks.

    Raises:
        Stopped: the user asked for it; the state is saved.
        ResnextError: input that cannot be used, or a run that cannot go on.
        OSError: a file that cannot be opened or written.
    """
    config = request.config
    task = prepare(
        config,
        request.recipe,
        request.images,
        job=job,
        bar=watcher.bar,
        is_resumed=is_resumed(config, job),
    )
    resources = find_resources(task, job, watcher.note)
    for text in _notes(task, resources):
        watcher.note(text)
    check_batches(len(task.images.train), task.recipe, processes=job.size)
    if note := check_memory(task, resources):
        watcher.note(note)
    if has_memory_to_keep(task, resources):
        keep_freed_memory()
    for line in _plan(task, resources):
        watcher.plan(line)
    resumed = is_resumed(config, job)
    # The workers read while the network is built, which on a GPU takes seconds.
    with memory_explained(), ExitStack() as readers:
        check = begin_check(task, resources, resumed=resumed)
        epoch = None
        with closing(check) if check is not None else nullcontext():
            if check is None and not resumed:
                epoch = EpochReading(task, resources, place=(1, 0))
                readers.enter_context(closing(epoch))
            with losses_explained():
                learner = _learner(task, resources)
            if check is not None:
                check_images(check, task, resources, watcher, resumed=resumed)
        with locked(config.output) if job.leads else nullcontext():
            stop.waits = True
            if job.leads:
                # Once more: another run may have ended here before this one had the lock.
                check_output(config)
                clear(config.output, everything=not config.resume)
            start = Run.resume if is_resumed(config, job) else Run.new
            run = start(task, learner, resources, watcher=watcher, stop=stop)
            run.begun = epoch
            run.go()
            if not job.leads:
                return None
            write_report(task, run.progress, run.decisions, resources.device)
    return run


def _notes(task: Task, resources: Resources) -> Iterator[str]:
    """Yield what the user should know about the input and the machine, one sentence each."""
    precision, device = Precision(task.recipe.precision), resources.device
    yield from task.images.notes
    yield from task.first_network.notes
    if slow := precision_note(precision, device):
        yield slow
    if task.recipe.sync_bn and resources.job.size == 1:
        yield "--sync-bn changes nothing in a single process; torchrun starts several"


def _plan(task: Task, resources: Resources) -> list[str]:
    return plan(
        task,
        device=resources.device.type,
        processes=resources.job.size,
        workers=resources.workers,
        threads=torch.get_num_threads(),
    )


def _learner(task: Task, resources: Resources) -> Learner:
    config, recipe, device = task.config, task.recipe, resources.device
    weights = None
    if task.weights is not None:
        weights = torch.tensor(task.weights, dtype=torch.float32, device=device)
    return Learner(
        task.first_network.checkpoint.build(),
        recipe,
        Machine(
            device=device,
            processes=resources.job.size,
            compiled=config.compiled,
            saves_memory=config.saves_memory,
            deterministic=config.deterministic,
            ahead=upload_to(device).ahead,
        ),
        Objective(weights=weights, smoothing=recipe.label_smoothing),
    )
