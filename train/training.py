"""One training: what a command line names, to checkpoints."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train.input.conflicts import check_output
from train.input.options import Config
from train.input.task import Task, prepare
from train.run.files import AVERAGE, BOARD, STATE, WEIGHTS, WHOLE
from train.run.lock import locked
from train.run.progress import Progress
from train.run.state import State
from train.run.wording import plan
from train.watcher import Watcher

if TYPE_CHECKING:
    from resnext.distributed.job import Job
    from train.run.run import Place, Run
    from train.run.stop import Stop
    from train.step.learner import Learner

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
    place = _place(task, job)
    for text in _notes(task, place):
        watcher.note(text)

    from resnext.distributed.collectives import losses_explained
    from resnext.loader.batches import memory_explained
    from resnext.machine import keep_freed_memory
    from train.recipe.batching import check_batches
    from train.report.page import write_report
    from train.run.run import Run

    if place.device.type == "cpu" and not config.saves_memory:
        keep_freed_memory()
    check_batches(len(task.images.train), task.recipe, processes=job.size)
    for line in _plan(task, place):
        watcher.plan(line)
    with losses_explained():
        learner = _learner(task, place)
    with memory_explained():
        if not _resumes(config, job):
            _check_images(task, place, watcher)
        with locked(config.output) if job.leads else nullcontext():
            run = Run(task, learner, place, watcher, stop)
            stop.waits = True
            _begin(run)
            try:
                run.go()
            finally:
                if run.board is not None:
                    run.board.close()
            if not job.leads:
                return None
            write_report(task, run.progress, run.decisions, place.device)
    return Outcome(task=task, progress=run.progress)


def _place(task: Task, job: "Job") -> "Place":
    from resnext.inference.predictor import Precision, check_precision, find_device
    from resnext.machine import usual_workers
    from train.run.run import Place

    config = task.config
    device = find_device(job.device_name(config.device))
    check_precision(Precision(task.recipe.precision), device)
    usual = usual_workers(device, processes=job.local_size)
    return Place(
        job=job, device=device, workers=usual if config.workers is None else config.workers
    )


def _notes(task: Task, place: "Place") -> Iterator[str]:
    """Say what the user should know of the input, and of what it comes to here."""
    from resnext.inference.fusion import refusal
    from resnext.inference.predictor import DTYPES, Precision, precision_note
    from resnext.inference.scaling import refusals

    yield from task.images.notes
    yield from task.beginning.notes
    if slow := precision_note(Precision(task.recipe.precision), place.device):
        yield slow
    yield from refusals(place.device)
    if text := refusal(place.device, DTYPES[Precision.FP32]):  # of its validations
        yield text
    if task.recipe.sync_bn and place.job.size == 1:
        yield "--sync-bn changes nothing in a single process; torchrun starts several"


def _plan(task: Task, place: "Place") -> list[str]:
    import torch

    return plan(
        task,
        device=place.device.type,
        processes=place.job.size,
        workers=place.workers,
        threads=torch.get_num_threads(),
    )


def _resumes(config: Config, job: "Job") -> bool:
    """Tell, on every rank, whether there is a state to go on from."""
    return job.tell(config.resume and (config.output / STATE).exists())


def _begin(run: "Run") -> None:
    """Bring a run to its first step, or to where it was cut off, and say which.

    Raises:
        StateError: by now there are results of another run.
    """
    from train.run.board import Board
    from train.run.results import write_metrics, write_split

    config, job = run.task.config, run.place.job
    if job.leads:
        # Before the lock was this run's, another may have ended here.
        check_output(config)
        _clear(config, anew=not config.resume)
    resumes = _resumes(config, job)
    if resumes:
        _resume(run, config.output / STATE)
    elif job.leads:
        write_metrics(config.output, run.progress)  # a folder that takes no file says so now
    if job.leads:
        write_split(run.task)
    if config.resume and not resumes:
        run.watcher.note(f"{config.output}: no state there yet, so this run begins")
    if config.tensorboard and job.leads:
        run.board = Board(config.output, run.progress.epoch)


def _resume(run: "Run", path: Path) -> None:
    from train.run.results import write_missing
    from train.run.snapshot import restore

    job = run.place.job
    state = State.load(path) if job.leads else None
    if state is not None:
        state.check(run.task.identity, path)
        if text := state.other_processes(run.task.identity):
            run.watcher.note(f"{path}: {text}")
        run.decisions = state.decisions
        run.progress = state.progress
    run.progress = Progress.from_fields(job.tell(run.progress.to_fields()))
    restore(run.learner, state, job, path)
    if state is not None:
        networks = {WEIGHTS: state.network, AVERAGE: state.average}
        write_missing(run.task, run.progress, {k: v for k, v in networks.items() if v})
    text = f"goes on in epoch {run.progress.epoch} after step {run.progress.step}"
    run.watcher.note(f"{path}: {'this run is done' if run.is_done else text}")


def _learner(task: Task, place: "Place") -> "Learner":
    import torch

    from resnext.loader.upload import upload_to
    from train.step.learner import Learner, Machine
    from train.step.loss import Objective

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
            ahead=upload_to(place.device).ahead,
        ),
        Objective(weights=weights, smoothing=recipe.label_smoothing),
    )


def _check_images(task: Task, place: "Place", watcher: Watcher) -> None:
    """Read every image once, together with the other processes, and name all that cannot be."""
    from resnext.loader.batch import unreadable
    from train.augmentation.view import TrainingView
    from train.input.readable import unreadable_images
    from train.run.evaluation import ValidationView

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
                pause=lambda done: advance(done, ""),
            )
    everyone = place.job.gather(reasons)
    found = place.job.tell([reason for part in everyone or () for reason in part])
    if found:
        raise unreadable(found)


def _clear(config: Config, *, anew: bool) -> None:
    """Remove what a killed run left half written, and for a new run all that was there before."""
    # As `whole_file` calls them; other hidden files belong to others.
    patterns = [f".{name}.????????.part" for name in WHOLE]
    if anew:
        patterns += [*WHOLE, f"{BOARD}/events.*"]
    for pattern in patterns:
        for path in config.output.glob(pattern):
            if not path.is_dir():
                path.unlink(missing_ok=True)
