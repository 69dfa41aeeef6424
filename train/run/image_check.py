"""The check before a training that every image can be read."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.images.image_set import ImageSet
from resnext.loader.batch import Failure
from resnext.loader.batches import Prepare, read_batches
from resnext.pixels.pipelines import Preparation
from resnext.terminal.watcher import Watcher
from train.augmentation.view import TrainingView
from train.input.task import Task
from train.run.folder import locked
from train.run.resources import Resources
from train.run.unreadable import (
    TRAINING,
    VALIDATION,
    UnreadableImage,
    from_all,
    refused_at_first,
    refused_midway,
    unreadable_images,
    write_unreadable,
)

# Up to so many images are checked by default: half a minute.
FEW_IMAGES: Final = 20_000
# Images that a worker reads at a time.
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class _EmptyView:
    """Prepares an image, so that errors are found, and returns an empty array."""

    view: Prepare

    def __call__(self, pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
        self.view(pixels, position)
        return np.zeros(0, np.float32)


def check_images(task: Task, resources: Resources, watcher: Watcher, *, resumed: bool) -> None:
    """Read every image once, together with the other processes, where this is wanted.

    Args:
        task: the training.
        resources: the job and the workers that read.
        watcher: is shown how far it is.
        resumed: the run has a state already; the check is then made only if it is asked for.

    Raises:
        DataError: images that cannot be read, decoded or prepared; names the first ones, and the
            file of the run that lists them all.
    """
    images, preprocessing = task.images, task.first_network.checkpoint.preprocessing
    assert preprocessing is not None
    count = len(images.train) + len(images.val)
    unless_asked = not resumed and count <= FEW_IMAGES
    if not (unless_asked if task.config.check is None else task.config.check):
        return
    training_view = TrainingView(preprocessing, task.recipe.augmentation, task.config.seed, 1)
    validation_view = Preparation(preprocessing)
    mine: list[UnreadableImage] = []
    with watcher.progress("looking at every image", count, 0) as advance:
        for split, each, view in (
            (TRAINING, images.train, training_view),
            (VALIDATION, images.val, validation_view),
        ):
            failures = _failures(each, view, resources, lambda done: advance(done, ""))
            mine += unreadable_images(failures, each, split)
    resources.heard.say()
    found = from_all(mine, resources.job)
    if not found:
        return
    folder = task.config.output
    if resources.job.leads:
        with locked(folder):
            write_unreadable(folder, found)
    raise refused_midway(found, folder) if resumed else refused_at_first(found, folder)


def _failures(
    images: ImageSet, view: Prepare, resources: Resources, advance: Callable[[int], None]
) -> list[Failure]:
    """Read and prepare this process's share of the images, and return which of them cannot be.

    Args:
        images: the whole set.
        view: prepares an image.
        resources: the job and the workers that read.
        advance: called after each batch with the number of images that all processes have read.
    """
    job = resources.job
    mine = list(range(job.rank, len(images), job.size))
    batches = [mine[at : at + BATCH] for at in range(0, len(mine), BATCH)]
    failures: list[Failure] = []
    read = read_batches(
        images, batches, (_EmptyView(view),), workers=resources.workers, heard=resources.heard
    )
    with closing(read):
        for batch, positions in zip(read, batches, strict=True):
            failures += batch.failures
            advance(job.size * len(positions))
    return failures
