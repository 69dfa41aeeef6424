"""The input of an epoch: each step's images, augmented and on the device."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.loader.batches import memory_explained, read_batches
from resnext.loader.upload import upload_to
from train.augmentation.view import TrainingView
from train.input.task import Task
from train.recipe.batching import shares
from train.run.resources import Resources
from train.step.micro_batch import MicroBatch, micro_batches


def own_shares(
    batch: NDArray[np.int64], task: Task, resources: Resources
) -> list[NDArray[np.int64]]:
    """Return the positions of this process's images in each micro-batch of a step."""
    job = resources.job
    return shares(batch, micro_batches=task.recipe.accumulate, rank=job.rank, processes=job.size)


def read_epoch(
    batches: Sequence[NDArray[np.int64]], task: Task, resources: Resources, *, epoch: int
) -> Generator[MicroBatch, None, None]:
    """Yield this process's micro-batches of the steps of an epoch, one after the other.

    Args:
        batches: positions of the images of each step.
        task: the training.
        resources: the workers that read, and the device that the images are sent to.
        epoch: counted from 1; decides the augmentation.

    Raises:
        DataError: an image could not be read.
    """
    preprocessing = task.first_network.checkpoint.preprocessing
    assert preprocessing is not None
    view = TrainingView(preprocessing, task.recipe.augmentation, task.config.seed, epoch)
    positions = [
        share.tolist() for batch in batches for share in own_shares(batch, task, resources)
    ]
    read = read_batches(
        task.images.train,
        positions,
        (view,),
        workers=resources.workers,
        pinned=resources.device.type == "cuda",
        heard=resources.heard,
    )
    try:
        with closing(read):
            yield from micro_batches(read, task.images.train.labels, upload_to(resources.device))
    finally:
        resources.heard.say()


def read_step(read: Iterator[MicroBatch], count: int) -> tuple[list[MicroBatch], DataError | None]:
    """Return the micro-batches of the next step, or why they cannot be read.

    All are read before the first is used, so that a step is taken whole or not at all; and the
    error is returned, because the processes of a job have to end together.

    Args:
        read: what `read_epoch` yields.
        count: of this process's micro-batches of the step.
    """
    try:
        with memory_explained():
            return list(islice(read, count)), None
    except DataError as error:
        return [], error
