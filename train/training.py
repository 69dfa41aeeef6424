"""One training: what a command line names, to checkpoints."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from train.files import BEST, LAST, LAST_AVERAGE, METRICS, REPORT, STATE
from train.memory import keep_freed_memory
from train.options import Config
from train.preparation import Task, prepare
from train.progress import Progress
from train.state import State
from train.watcher import Watcher
from train.wording import plan

if TYPE_CHECKING:
    from resnext.distributed import Job
    from train.learner import Learner
    from train.run import Place, Run
    from train.stop import Stop

# As many images are read once before the training, where nobody says otherwise: half a minute.
FEW_IMAGES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A run that is done.

    Attributes:
        task: what was trained.
        progress: its history.
    """

    task: Task
    progress: Progress


def train(config: Config, job: "Job", watcher: Watcher, stop: "Stop") -> Outcome | None:
    """Check all input, say what will happen, then train to the end.

    Args:
        config: what is trained.
        job: the processes that share it.
        watcher: is told what goes on.
        stop: is asked between two steps.

    Returns:
        The outcome on the process that leads, None on the others.

    Raises:
        Stopped: somebody asked for it; the state is saved.
        ResnextError: input that cannot be used, or a run that cannot go on.
        OSError: a file that cannot be opened or written.
    """
    task = prepare(config, job, watcher.bar)
    for text in (*task.images.notes, *task.beginning.notes):
        watcher.note(text)

    from resnext.data.batches import memory_explained
    from train.batching import check_batches
    from train.report import write_report

    place = _place(config, job)
    if place.device.type == "cpu":
        keep_freed_memory()
    check_batches(len(task.images.train), task.recipe, processes=job.size)
    for line in _plan(task, place):
        watcher.plan(line)
    with memory_explained():
        run = _begun(task, place, watcher, stop)
        if run.is_done:
            watcher.note(
                f"{config.output / STATE}: this run is done; more --epochs are another run"
            )
        try:
            run.go()
        finally:
            if run.board is not None:
                run.board.close()
    if not job.leads:
        return None
    write_report(task, run.progress, run.decisions, place.device)
    return Outcome(task=task, progress=run.progress)


def _place(config: Config, job: "Job") -> "Place":
    from resnext.inference import find_device
    from resnext.machine import usual_workers
    from train.run import Place

    device = find_device(job.device_name(config.device))
    usual = usual_workers(device, processes=job.local_size)
    return Place(
        job=job, device=device, workers=usual if config.workers is None else config.workers
    )


def _plan(task: Task, place: "Place") -> list[str]:
    import torch

    return plan(
        task,
        device=place.device.type,
        processes=place.job.size,
        workers=place.workers,
        threads=torch.get_num_threads(),
    )


def _begun(task: Task, place: "Place", watcher: Watcher, stop: "Stop") -> "Run":
    """Return a run at its first step, or where it was cut off."""
    from train.board import Board
    from train.run import Run
    from train.snapshot import restore

    config, job = task.config, place.job
    path = config.output / STATE
    state = State.load(path) if job.leads and config.resume and path.exists() else None
    if state is not None:
        state.check(task.identity, path)
    fields = job.tell(state.progress.to_fields() if state is not None else None)
    learner = _learner(task, place)
    if fields is None:
        _check_images(task, place, watcher)
        if job.leads:
            _clear(config)
    run = Run(task, learner, place, watcher, stop)
    if config.tensorboard and job.leads:
        run.board = Board(config.output, 1 if fields is None else fields["epoch"])
    if fields is not None:
        run.progress = Progress.from_fields(fields)
        run.decisions = state.decisions if state is not None else np.zeros(0, np.int32)
        restore(learner, state, job, path)
        watcher.note(
            f"{path}: goes on in epoch {run.progress.epoch} behind step {run.progress.step}"
        )
    elif config.resume:
        watcher.note(f"{path}: not there yet, so this run begins")
    return run


def _learner(task: Task, place: "Place") -> "Learner":
    import torch

    from train.learner import Learner, Machine
    from train.loss import Objective

    config, recipe = task.config, task.recipe
    weights = None
    if task.weights is not None:
        weights = torch.tensor(task.weights, dtype=torch.float32, device=place.device)
    return Learner(
        task.beginning.checkpoint.build(),
        recipe,
        Machine(
            device=place.device,
            processes=place.job.size,
            compiled=config.compiled,
            saves_memory=config.saves_memory,
            deterministic=config.deterministic,
        ),
        Objective(weights=weights, smoothing=recipe.label_smoothing),
    )


def _check_images(task: Task, place: "Place", watcher: Watcher) -> None:
    """Read every image once, together with the other processes, and name all that cannot be."""
    from train.augment import TrainingView
    from train.evaluation import ValidationView, unreadable, unreadable_images

    images, preprocessing = task.images, task.beginning.checkpoint.preprocessing
    assert preprocessing is not None
    count = len(images.train) + len(images.val)
    wanted = task.config.check
    if wanted is False or (wanted is None and count > FEW_IMAGES):
        return
    view = TrainingView(preprocessing, task.recipe.augmentation, task.config.seed, 1)
    reasons: list[str] = []
    with watcher.progress("looking at every image", count, 0) as advance:
        for each, prepare_each in (
            (images.train, view),
            (images.val, ValidationView(preprocessing)),
        ):
            reasons += unreadable_images(
                each,
                prepare_each,
                workers=place.workers,
                job=place.job,
                pause=lambda done: advance(done, None),
            )
    everyone = place.job.gather(reasons)
    found = place.job.tell([reason for part in everyone or () for reason in part])
    if found:
        raise unreadable(found)


def _clear(config: Config) -> None:
    """Make a folder for the results, without what earlier runs have left in it."""
    config.output.mkdir(parents=True, exist_ok=True)
    for name in (STATE, BEST, LAST, LAST_AVERAGE, METRICS, REPORT):
        (config.output / name).unlink(missing_ok=True)
