"""A run: a training from its first step, or from a saved state, to its end."""

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Self

import numpy as np
import torch
from numpy.typing import NDArray

from resnext.distributed.collectives import losses_explained
from resnext.errors import DataError
from resnext.header import TRAINING_STATE_FILE
from resnext.images.image_set import ImageSet
from resnext.terminal.image_bar import Advance
from resnext.terminal.watcher import Watcher
from train.input.class_weights import total_weight
from train.input.task import Task
from train.recipe.batching import steps_of_epoch
from train.recipe.schedule import SchedulePoint, learning_rate
from train.run import results
from train.run.board import Board, opened_board
from train.run.epoch_input import EpochReading, epoch_reading, own_shares, read_step
from train.run.evaluation import evaluate, kernel_notes
from train.run.messages import divergence_advice, tally_text
from train.run.progress import AVERAGE, WEIGHTS, Progress
from train.run.resources import Resources
from train.run.results import ScoredNetwork
from train.run.snapshot import restore_run, shared_arrays, to_state
from train.run.stop import Stop, Stopped
from train.run.unreadable import TRAINING, VALIDATION, refused_while_reading
from train.step.learner import Learner
from train.step.loss import DivergedError, draw_mix
from train.step.micro_batch import MicroBatch
from train.step.pending_step import PendingStep, StepResult


@dataclass(eq=False)
class Run:
    """A run, made by `new` or `resume`.

    Attributes:
        task: the training.
        learner: the network and its optimizer.
        resources: what it is computed with.
        watcher: is told how the run goes on.
        stop: is asked between two steps.
        progress: how far the run has come; the same in all processes.
        decisions: (N,) int32, of the best validation; empty on all ranks but 0.
        board: TensorBoard's curves, or None; on rank 0 only.
        begun: reads the first steps, where that has begun already.
    """

    task: Task
    learner: Learner
    resources: Resources
    watcher: Watcher
    stop: Stop
    progress: Progress = field(default_factory=Progress)
    decisions: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    board: Board | None = None
    begun: EpochReading | None = None

    def __post_init__(self) -> None:
        images, job = len(self.task.images.train), self.resources.job
        self.steps = steps_of_epoch(images, self.task.recipe, processes=job.size)
        self._clock_read = self._last_step = time.perf_counter()
        self._has_validated = False

    @classmethod
    def new(
        cls, task: Task, learner: Learner, resources: Resources, *, watcher: Watcher, stop: Stop
    ) -> Self:
        """Return a run before its first step, and write the first files into its folder.

        Raises:
            StateError: the disk is full.
            OSError: the folder cannot be written.
        """
        board = None
        if resources.job.leads:
            results.write_metrics(task, Progress())
            results.write_split(task)
            board = opened_board(task, Progress())
        if task.config.resume:
            watcher.note(f"{task.config.output}: no state there yet, so this run begins")
        return cls(task, learner, resources, watcher, stop, board=board)

    @classmethod
    def resume(
        cls, task: Task, learner: Learner, resources: Resources, *, watcher: Watcher, stop: Stop
    ) -> Self:
        """Return a run as it was when its state was saved, and write results that are missing.

        Raises:
            StateError: the state is damaged or that of another run, the best checkpoint is
                missing, or the disk is full.
            OSError: a file cannot be opened or written.
        """
        path = task.config.output / TRAINING_STATE_FILE
        progress, decisions = restore_run(path, task, learner, resources.job, watcher.note)
        board = opened_board(task, progress) if resources.job.leads else None
        run = cls(task, learner, resources, watcher, stop, progress, decisions, board)
        text = f"goes on in epoch {progress.epoch} after step {progress.step}"
        watcher.note(f"{path}: {'this run is done' if run.is_done else text}")
        return run

    @property
    def is_done(self) -> bool:
        """Tell whether all epochs are done, or validation has not improved for too long."""
        recipe, progress = self.task.recipe, self.progress
        out_of_patience = bool(recipe.patience) and progress.stale >= recipe.patience
        return progress.epoch > recipe.epochs or out_of_patience

    def go(self) -> None:
        """Train to the end.

        Raises:
            Stopped: the user asked for it; the state is saved.
            DivergedError: a loss or a weight is not finite; says what to try, and what is kept.
            DataError: an image cannot be read; the state is saved.
            StateError: the disk is full.
            JobError: another process has ended.
        """
        self._clock_read = time.perf_counter()
        try:
            while not self.is_done:
                self._train_epoch()
                self._end_epoch(self._validate())
        except DivergedError as error:
            state = self.task.config.output / TRAINING_STATE_FILE
            kept = f"{state} is the last good state" if state.exists() else "no state was saved yet"
            advice = divergence_advice(self.task.recipe)
            raise DivergedError(f"{error}; {advice}; {kept}") from error
        finally:
            if self.board is not None:
                self.board.close()

    def save(self) -> None:
        """Write the state, on rank 0.

        Raises:
            DivergedError, StateError, OSError: see `State.save`.
        """
        self._add_time()
        if self.resources.job.leads:
            state = to_state(self.learner, self.progress, self.task, self.decisions)
            state.save(self.task.config.output / TRAINING_STATE_FILE)

    def _train_epoch(self) -> None:
        """Take the remaining steps of the epoch."""
        task, progress = self.task, self.progress
        text = f"epoch {progress.epoch}/{task.recipe.epochs}"
        place = (progress.epoch, progress.step)
        with (
            closing(epoch_reading(task, self.resources, place=place, begun=self.begun)) as read,
            self.watcher.progress(text, read.images, progress.tally.images) as advance,
        ):
            self._last_step = time.perf_counter()
            pending: deque[PendingStep] = deque()
            for step, batch in enumerate(read.batches, start=progress.step):
                count = 0 if self.stop.requested else len(own_shares(batch, task, self.resources))
                parts, error = read_step(read, count)
                if self._has_to_end(error):
                    self._finish_steps(pending, advance, left=0)
                    self._end(error, task.images.train, TRAINING)
                pending.append(self._start_step(batch, parts, step))
                del parts  # which would be kept while the next ones are read
                saves = self._is_save_due(step + 1)
                left = 0 if saves else self.learner.machine.ahead
                self._finish_steps(pending, advance, left=left)
                if saves:
                    self.save()
                    self._last_step = time.perf_counter()
            self._finish_steps(pending, advance, left=0)

    def _has_to_end(self, error: DataError | None) -> bool:
        """Tell, on every rank, whether a signal or an image stands in the way of any rank."""
        return self.resources.job.any(flag=self.stop.requested or error is not None)

    def _end(self, error: DataError | None, images: ImageSet, split: str) -> NoReturn:
        """Save the run as it is, and raise why it ends here; see `refused_while_reading`."""
        self.save()
        folder, job = self.task.config.output, self.resources.job
        raise (
            refused_while_reading(error, images, split, job=job, folder=folder) or Stopped
        ) from error

    def _start_step(
        self, batch: NDArray[np.int64], parts: list[MicroBatch], step: int
    ) -> PendingStep:
        """Start a step of the epoch with the images of a batch."""
        task, epoch = self.task, self.progress.epoch
        with losses_explained():
            return self.learner.start(
                parts,
                lr=learning_rate(task.recipe, self._schedule_point(step)),
                weight=total_weight(task.images.train.labels[batch], task.weights),
                number=(epoch - 1) * self.steps + step + 1,
                mix=draw_mix(task.recipe.mixup, seed=task.config.seed, epoch=epoch, step=step),
                measured=step % self.learner.machine.norm_every == 0,
            )

    def _finish_steps(self, pending: "deque[PendingStep]", advance: Advance, *, left: int) -> None:
        """Wait for all pending steps but the last `left`, and add up their results."""
        while len(pending) > left:
            with losses_explained():
                mine = self.learner.finish(pending.popleft())
            images, loss, wrong = self.resources.job.sum((mine.images, mine.loss, mine.wrong))
            result = StepResult(images=int(images), loss=loss, wrong=int(wrong), norm=mine.norm)
            before, self._last_step = self._last_step, time.perf_counter()
            self.progress = self.progress.stepped(result, self._last_step - before)
            advance(result.images, tally_text(self.progress.tally))

    def _schedule_point(self, step: int) -> SchedulePoint:
        return SchedulePoint(
            epoch=self.progress.epoch,
            step=step,
            steps=self.steps,
            epochs=self.task.recipe.epochs,
        )

    def _is_save_due(self, step: int) -> bool:
        """Tell whether --save-every asks for a state after so many steps of the epoch."""
        every = self.task.config.save_every
        return bool(every) and ((self.progress.epoch - 1) * self.steps + step) % every == 0

    def _validate(self) -> list[ScoredNetwork]:
        """Validate the network and its moving average; return the scores on rank 0."""
        if not self._has_validated:
            self._has_validated = True
            for text in kernel_notes(self.resources.device):
                self.watcher.note(text)
        found = [self._scored(WEIGHTS, self.learner.network.state_dict())]
        if self.learner.average is not None:
            found.append(self._scored(AVERAGE, self.learner.average.tensors))
        return [scored for scored in found if scored is not None]

    def _scored(self, kind: str, tensors: dict[str, torch.Tensor]) -> ScoredNetwork | None:
        task, job = self.task, self.resources.job
        checkpoint = results.trained_checkpoint(task, shared_arrays(tensors, job))
        text = f"validation of the {kind}"
        with self.watcher.progress(text, len(task.images.val), 0) as advance:

            def pause(images: int, error: DataError | None) -> None:
                (done,) = job.sum((images,))
                advance(int(done), "")
                if self._has_to_end(error):
                    self._end(error, task.images.val, VALIDATION)

            score = evaluate(checkpoint, task.images.val, self.resources, pause=pause)
        if score is None:
            return None
        scored = ScoredNetwork(weights=kind, checkpoint=checkpoint, score=score)
        return results.documented(scored, task, self.progress.epoch)

    def _end_epoch(self, found: list[ScoredNetwork]) -> None:
        """Write the results of the epoch and the state after it."""
        self._add_time()
        job = self.resources.job
        ended = self._after_epoch(found) if found else self.progress
        self.progress = job.tell(ended)
        if job.leads:
            results.write_metrics(self.task, self.progress)
        self.save()
        if job.leads:
            if self.board is not None:
                self.board.add(self.progress.history[-1])
            self.watcher.epoch(self.progress.history[-1], self.task.recipe)

    def _after_epoch(self, found: list[ScoredNetwork]) -> Progress:
        """Write the checkpoints of the epoch, and return the progress after it."""
        progress = self.progress
        leader = min(found, key=lambda scored: (scored.score.wrong, scored.score.loss))
        best = leader.as_best(progress.epoch)
        improved = best.beats(progress.best)
        if improved:
            self.decisions = leader.score.decisions
        results.write_checkpoints(self.task.config.output, found, leader if improved else None)
        last_step = self._schedule_point(max(progress.step - 1, 0))
        row: dict[str, Any] = results.epoch_row(
            progress,
            lr=learning_rate(self.task.recipe, last_step),
            seconds=progress.seconds - sum(row["seconds"] for row in progress.history),
        )
        row |= {scored.weights: scored.score.to_fields() for scored in found}
        return progress.ended(row | {"best": improved}, best if improved else None)

    def _add_time(self) -> None:
        """Add the time since the last call to the duration of the run."""
        now = time.perf_counter()
        seconds = self.progress.seconds + now - self._clock_read
        self.progress = replace(self.progress, seconds=seconds)
        self._clock_read = now
