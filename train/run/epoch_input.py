"""The input of an epoch: each step's images, augmented and on the device."""

from collections.abc import Generator, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.loader.batches import Reading, memory_explained, read_batches
from resnext.loader.upload import upload_to
from train.augmentation.view import TrainingView
from train.input.task import Task
from train.recipe.batching import epoch_batches, shares
from train.run.resources import Resources
from train.step.micro_batch import MicroBatch, micro_batches


def own_shares(
    batch: NDArray[np.int64], task: Task, resources: Resources
) -> list[NDArray[np.int64]]:
    """Return the positions of this process's images in each micro-batch of a step."""
    job = resources.job
    return shares(batch, micro_batches=task.recipe.accumulate, rank=job.rank, processes=job.size)


class EpochReading(Iterator[MicroBatch]):
    """This process's micro-batches of the steps of an epoch, one after the other.

    The workers read from the beginning, also while this process does something else. It must be
    closed; see `resnext.loader.batches.Reading`.

    Attributes:
        place: the epoch, and the step of it with which this begins.
        images: of the whole epoch.
        batches: positions of the images of each step, from that step on.
    """

    def __init__(self, task: Task, resources: Resources, *, place: tuple[int, int]) -> None:
        """Start to read.

        Args:
            task: the training.
            resources: the workers that read, and the device that the images are sent to.
            place: the epoch, counted from 1, which decides the order and the augmentation; and the
                first step, counted from 0.
        """
        self.place = (epoch, step) = place
        images, job = task.images.train, resources.job
        every = epoch_batches(
            len(images), task.recipe, seed=task.config.seed, epoch=epoch, processes=job.size
        )
        self.images = sum(map(len, every))
        self.batches = every[step:]
        preprocessing = task.first_network.preprocessing
        view = TrainingView(preprocessing, task.recipe.augmentation, task.config.seed, epoch)
        positions = [
            share.tolist() for batch in self.batches for share in own_shares(batch, task, resources)
        ]
        self._task, self._resources = task, resources
        self._read: Reading | DataError
        try:
            with memory_explained():
                self._read = read_batches(
                    images,
                    positions,
                    (view,),
                    workers=resources.workers,
                    pinned=resources.device.type == "cuda",
                    heard=resources.heard,
                )
        except DataError as error:  # raised where the first batch is asked for
            self._read = error
        self._parts = self._on_device()
        self._is_closed = False

    def __next__(self) -> MicroBatch:
        """Wait for the next micro-batch, and return it.

        Raises:
            DataError: an image could not be read.
        """
        return next(self._parts)

    def close(self) -> None:
        """End the workers; once more does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._parts.close()
        if isinstance(self._read, Reading):
            self._read.close()
        self._resources.heard.say()

    def _on_device(self) -> Generator[MicroBatch, None, None]:
        if isinstance(self._read, DataError):
            raise self._read
        labels = self._task.images.train.labels
        yield from micro_batches(self._read, labels, upload_to(self._resources.device))


def epoch_reading(
    task: Task, resources: Resources, *, place: tuple[int, int], begun: EpochReading | None
) -> EpochReading:
    """Return what reads an epoch from a step on: what has begun, if it is that, or another."""
    if begun is not None and begun.place == place:
        return begun
    if begun is not None:
        begun.close()
    return EpochReading(task, resources, place=place)


def read_step(read: Iterator[MicroBatch], count: int) -> tuple[list[MicroBatch], DataError | None]:
    """Return the micro-batches of the next step, or why they cannot be read.

    All are read before the first is used, so that a step is taken whole or not at all; and the
    error is returned, because the processes of a job have to end together.

    Args:
        read: an `EpochReading`.
        count: of this process's micro-batches of the step.
    """
    try:
        with memory_explained():
            return list(islice(read, count)), None
    except DataError as error:
        return [], error
