"""A run from its first step, or from where it was cut off, to its end."""

import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from resnext.distributed.collectives import losses_explained
from resnext.distributed.job import Job
from resnext.loader.batches import read_batches
from resnext.loader.upload import upload_to
from resnext.terminal.image_bar import Advance
from train.augmentation.view import TrainingView
from train.errors import DivergedError
from train.input.class_weights import total_weight
from train.input.task import Task
from train.recipe.batching import epoch_batches, shares, steps_of_epoch
from train.recipe.schedule import Moment, learning_rate
from train.run import results
from train.run.evaluation import evaluate
from train.run.files import AVERAGE, STATE, WEIGHTS
from train.run.progress import Progress
from train.run.results import Scored
from train.run.snapshot import shared_arrays, to_state
from train.run.stop import Stop, Stopped
from train.run.wording import cure, tally_text
from train.step.delivery import arriving
from train.step.learner import Begun, Learner, Part, Seen
from train.step.loss import draw_mix
from train.watcher import Watcher

if TYPE_CHECKING:
    from train.run.board import Board


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """Where a run is computed.

    Attributes:
        job: the processes.
        device: of this one.
        workers: processes that read ahead for it.
    """

    job: Job
    device: torch.device
    workers: int


class Run:
    """A training that goes on.

    Attributes:
        progress: how far it has come; the same in all processes.
        decisions: (N,) int32, of the best validation, on the process that leads.
        board: takes each epoch's row, on the process that leads; or None.
    """

    def __init__(
        self,
        task: Task,
        learner: Learner,
        place: Place,
        watcher: Watcher,
        stop: Stop,
    ) -> None:
        """Take what a run needs; `progress` and `decisions` may then be set to go on."""
        self.task, self.learner, self.place = task, learner, place
        self.watcher, self.stop = watcher, stop
        self.progress = Progress()
        self.decisions: NDArray[np.int32] = np.zeros(0, np.int32)
        self.board: Board | None = None
        self.steps = steps_of_epoch(len(task.images.train), task.recipe, processes=place.job.size)
        self._since = self._stepped = time.perf_counter()

    @property
    def is_done(self) -> bool:
        """Tell whether there is nothing left to learn."""
        recipe, progress = self.task.recipe, self.progress
        worn = bool(recipe.patience) and progress.stale >= recipe.patience
        return progress.epoch > recipe.epochs or worn

    def go(self) -> None:
        """Train to the end.

        Raises:
            Stopped: somebody asked for it; the state is saved.
            DivergedError: a loss or a weight is not finite; says what to try, and what is kept.
            DataError: an image that cannot be read.
            StateError: the disk is full.
            JobError: another process has ended.
        """
        self._since = time.perf_counter()
        try:
            while not self.is_done:
                self._learn()
                self._end_epoch(self._validate())
        except DivergedError as error:
            state = self.task.config.output / STATE
            kept = f"{state} is the last good state" if state.exists() else "no state was saved yet"
            raise DivergedError(f"{error}; {cure(self.task.recipe)}; {kept}") from error

    def save(self) -> None:
        """Write the state, on the process that leads.

        Raises:
            DivergedError, StateError, OSError: see `State.save`.
        """
        self._clock()
        if self.place.job.leads:
            state = to_state(self.learner, self.progress, self.task.identity, self.decisions)
            state.save(self.task.config.output / STATE)

    def _learn(self) -> None:
        """Take the steps of the epoch that are left."""
        task, progress = self.task, self.progress
        batches = epoch_batches(
            len(task.images.train),
            task.recipe,
            seed=task.config.seed,
            epoch=progress.epoch,
            processes=self.place.job.size,
        )
        first, todo = progress.step, batches[progress.step :]
        total = sum(map(len, batches))
        text = f"epoch {progress.epoch}/{task.recipe.epochs}"
        read = self._read(todo)
        with closing(read), self.watcher.progress(text, total, progress.tally.images) as advance:
            self._stepped = time.perf_counter()
            begun: deque[Begun] = deque()
            for step, batch in enumerate(todo, start=first):
                begun.append(self._begin(batch, read, step))
                asked = self.place.job.any(flag=self.stop.requested)
                due = asked or self._is_due(step + 1)
                self._look(begun, advance, left=0 if due else self.learner.machine.ahead)
                if due:
                    self.save()
                    self._stepped = time.perf_counter()
                if asked:
                    raise Stopped
            self._look(begun, advance, left=0)

    def _read(self, batches: list[NDArray[np.int64]]) -> Generator[Part, None, None]:
        """Yield this process's parts of batches one after the other, as the network sees them."""
        task = self.task
        preprocessing = task.beginning.checkpoint.preprocessing
        assert preprocessing is not None
        view = TrainingView(
            preprocessing, task.recipe.augmentation, task.config.seed, self.progress.epoch
        )
        wanted = [part.tolist() for batch in batches for part in self._shares(batch)]
        read = read_batches(
            task.images.train,
            wanted,
            (view,),
            workers=self.place.workers,
            pinned=self.place.device.type == "cuda",
        )
        with closing(read):
            yield from arriving(read, task.images.train.labels, upload_to(self.place.device))

    def _shares(self, batch: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        job = self.place.job
        parts = self.task.recipe.accumulate
        return shares(batch, parts=parts, rank=job.rank, processes=job.size)

    def _begin(self, batch: NDArray[np.int64], read: Iterator[Part], step: int) -> Begun:
        """Learn from one batch, that of a step of the epoch."""
        task, epoch = self.task, self.progress.epoch
        mine = self._shares(batch)
        with losses_explained():
            begun = self.learner.begin(
                islice(read, len(mine)),
                rate=learning_rate(task.recipe, self._moment(step)),
                weight=total_weight(task.images.train.labels[batch], task.weights),
                number=(epoch - 1) * self.steps + step + 1,
                mix=draw_mix(task.recipe.mixup, seed=task.config.seed, epoch=epoch, step=step),
            )
        assert begun.images == sum(map(len, mine))
        return begun

    def _look(self, begun: "deque[Begun]", advance: Advance, *, left: int) -> None:
        """Count what all processes have seen in steps that were begun, but for the last ones."""
        while len(begun) > left:
            with losses_explained():
                mine = self.learner.look(begun.popleft())
            images, loss, wrong = self.place.job.sum((mine.images, mine.loss, mine.wrong))
            seen = Seen(images=int(images), loss=loss, wrong=int(wrong), norm=mine.norm)
            before, self._stepped = self._stepped, time.perf_counter()
            self.progress = self.progress.stepped(seen, self._stepped - before)
            advance(seen.images, tally_text(self.progress.tally))

    def _moment(self, step: int) -> Moment:
        return Moment(
            epoch=self.progress.epoch,
            step=step,
            steps=self.steps,
            epochs=self.task.recipe.epochs,
        )

    def _is_due(self, step: int) -> bool:
        """Tell whether the state is to be saved after so many steps of the epoch."""
        every = self.task.config.save_every
        return bool(every) and ((self.progress.epoch - 1) * self.steps + step) % every == 0

    def _stop_if_asked(self) -> None:
        if self.place.job.any(flag=self.stop.requested):
            self.save()
            raise Stopped

    def _validate(self) -> list[Scored]:
        """Measure the network, and the average of its weights, on the process that leads."""
        found = [self._scored(WEIGHTS, self.learner.network.state_dict())]
        if self.learner.average is not None:
            found.append(self._scored(AVERAGE, self.learner.average.tensors))
        return [scored for scored in found if scored is not None]

    def _scored(self, kind: str, tensors: dict[str, torch.Tensor]) -> Scored | None:
        task, place = self.task, self.place
        checkpoint = results.trained_checkpoint(task, shared_arrays(tensors, place.job))
        text = f"validation of the {kind}"
        with self.watcher.progress(text, len(task.images.val), 0) as advance:

            def pause(images: int) -> None:
                (done,) = place.job.sum((images,))
                advance(int(done), "")
                self._stop_if_asked()

            score = evaluate(
                checkpoint,
                task.images.val,
                device=place.device,
                workers=place.workers,
                job=place.job,
                pause=pause,
            )
        if score is None:
            return None
        scored = Scored(weights=kind, checkpoint=checkpoint, score=score)
        return results.documented(scored, task, self.progress.epoch)

    def _end_epoch(self, found: list[Scored]) -> None:
        """Write what the epoch brought, and go to the next."""
        self._clock()
        ended = self._judged(found) if found else self.progress
        self.progress = Progress.from_fields(self.place.job.tell(ended.to_fields()))
        if self.place.job.leads:
            results.write_metrics(self.task.config.output, self.progress)
        self.save()
        if self.place.job.leads:
            if self.board is not None:
                self.board.add(self.progress.history[-1])
            self.watcher.epoch(self.progress.history[-1], self.task.recipe)

    def _judged(self, found: list[Scored]) -> Progress:
        """Write the networks of this epoch, and return the place behind it."""
        progress = self.progress
        leader = min(found, key=lambda scored: (scored.score.wrong, scored.score.loss))
        best = leader.as_best(progress.epoch)
        improved = best.beats(progress.best)
        if improved:
            self.decisions = leader.score.decisions
        folder = self.task.config.output
        results.write_checkpoints(folder, found, leader if improved else None)
        last_step = self._moment(max(progress.step - 1, 0))
        row: dict[str, Any] = results.epoch_row(
            progress,
            rate=learning_rate(self.task.recipe, last_step),
            seconds=progress.seconds - sum(row["seconds"] for row in progress.history),
        )
        row |= {scored.weights: scored.score.to_fields() for scored in found}
        return progress.ended(row | {"best": improved}, best if improved else None)

    def _clock(self) -> None:
        """Add the time since the last look at the clock."""
        now = time.perf_counter()
        self.progress = replace(self.progress, seconds=self.progress.seconds + now - self._since)
        self._since = now
