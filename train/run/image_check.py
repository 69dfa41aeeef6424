"""The check before a training that every image can be read."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.images.image_set import ImageSet
from resnext.loader.batch import unreadable
from resnext.loader.batches import Prepare, read_batches
from resnext.pixels.pipelines import Pipeline, Preparation
from resnext.terminal.watcher import Watcher
from train.augmentation.view import TrainingView
from train.input.task import Task
from train.run.resources import Resources

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


def check_images(task: Task, resources: Resources, watcher: Watcher) -> None:
    """Read every image once, together with the other processes, where this is wanted.

    Raises:
        DataError: images that cannot be read, decoded or prepared; names the first ones.
    """
    images, preprocessing = task.images, task.first_network.checkpoint.preprocessing
    assert preprocessing is not None
    count = len(images.train) + len(images.val)
    wanted = task.config.check
    if wanted is False or (wanted is None and count > FEW_IMAGES):
        return
    training_view = TrainingView(preprocessing, task.recipe.augmentation, task.config.seed, 1)
    reasons: list[str] = []
    with watcher.progress("looking at every image", count, 0) as advance:
        for each, view in (
            (images.train, training_view),
            (images.val, Preparation(Pipeline.TORCH7, 1, preprocessing)),
        ):
            reasons += unreadable_images(each, view, resources, lambda done: advance(done, ""))
    everyone = resources.job.gather(reasons)
    found = resources.job.tell([reason for some in everyone or () for reason in some])
    if found:
        raise unreadable(found)


def unreadable_images(
    images: ImageSet, view: Prepare, resources: Resources, advance: Callable[[int], None]
) -> list[str]:
    """Read and prepare this process's share of the images, and return why some cannot be.

    Args:
        images: the whole set.
        view: prepares an image.
        resources: the job and the workers that read.
        advance: called after each batch with the number of images that all processes have read.
    """
    job = resources.job
    mine = list(range(job.rank, len(images), job.size))
    batches = [mine[at : at + BATCH] for at in range(0, len(mine), BATCH)]
    reasons: list[str] = []
    read = read_batches(images, batches, (_EmptyView(view),), workers=resources.workers)
    with closing(read):
        for batch, positions in zip(read, batches, strict=True):
            reasons += [failure.reason for failure in batch.failures]
            advance(job.size * len(positions))
    return reasons
