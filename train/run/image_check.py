"""The check before a training that every image can be read."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.images.image_set import ImageSet
from resnext.loader.batch import Failure
from resnext.loader.batches import Reading, read_batches
from resnext.loader.pictures import Prepare
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


def begin_check(task: Task, resources: Resources, *, resumed: bool) -> Reading | None:
    """Start to read every image of the training once; None where this is not wanted.

    The workers go on while this process does something else. What is returned must be closed.

    Args:
        task: the training.
        resources: the job and the workers that read.
        resumed: the run has a state already; the check is then made only if it is asked for.

    Raises:
        DataError: not enough memory, or no shared memory.
    """
    images, check = task.images, task.config.check
    unless_asked = not resumed and len(images.train) + len(images.val) <= FEW_IMAGES
    if not (unless_asked if check is None else check):
        return None
    augmentation, seed = task.recipe.augmentation, task.config.seed
    view = TrainingView(task.first_network.preprocessing, augmentation, seed, 1)
    return _read_share(images.train, view, resources)


def check_images(
    begun: Reading, task: Task, resources: Resources, watcher: Watcher, *, resumed: bool
) -> None:
    """Read every image once, together with the other processes.

    Args:
        begun: what `begin_check` returned.
        task: the training.
        resources: the job and the workers that read.
        watcher: is shown how far it is.
        resumed: the run has a state already.

    Raises:
        DataError: images that cannot be read, decoded or prepared; names the first ones, and the
            file of the run that lists them all.
    """
    images, mine = task.images, list[UnreadableImage]()
    view = Preparation(task.first_network.preprocessing)
    text, count = "looking at every image", len(images.train) + len(images.val)
    with watcher.progress(text, count, 0) as advance:

        def look(read: Reading, split: str, each: ImageSet) -> list[UnreadableImage]:
            found = _failures(read, each, resources, lambda done: advance(done, ""))
            return unreadable_images(found, each, split)

        mine += look(begun, TRAINING, images.train)
        with closing(_read_share(images.val, view, resources)) as read:
            mine += look(read, VALIDATION, images.val)
    resources.heard.say()
    found = from_all(mine, resources.job)
    if not found:
        return
    folder = task.config.output
    if resources.job.leads:
        with locked(folder):
            write_unreadable(folder, found)
    raise refused_midway(found, folder) if resumed else refused_at_first(found, folder)


def _share(images: ImageSet, resources: Resources) -> list[list[int]]:
    """Return the positions of this process's share of the images, in batches."""
    job = resources.job
    mine = list(range(job.rank, len(images), job.size))
    return [mine[at : at + BATCH] for at in range(0, len(mine), BATCH)]


def _read_share(images: ImageSet, view: Prepare, resources: Resources) -> Reading:
    """Start to read and prepare this process's share of the images."""
    batches, prepares = _share(images, resources), (_EmptyView(view),)
    workers, heard = resources.workers, resources.heard
    return read_batches(images, batches, prepares, workers=workers, heard=heard)


def _failures(
    read: Reading, images: ImageSet, resources: Resources, advance: Callable[[int], None]
) -> list[Failure]:
    """Return which images of this process's share cannot be read and prepared.

    Args:
        read: reads the share.
        images: the whole set.
        resources: the job and the workers that read.
        advance: called after each batch with the number of images that all processes have read.
    """
    failures: list[Failure] = []
    for batch, positions in zip(read, _share(images, resources), strict=True):
        failures += batch.failures
        advance(resources.job.size * len(positions))
    return failures
