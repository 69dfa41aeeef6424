"""Images that cannot be read: all of them named, none left out silently."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.loader.batches import Prepare, read_batches

# Images of a batch, of which nothing is kept.
LOOKED_AT: Final = 64


@dataclass(frozen=True, slots=True)
class Probe:
    """Prepares an image, and returns nothing of it."""

    view: Prepare

    def __call__(self, pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
        """Return an empty array."""
        self.view(pixels, position)
        return np.zeros(0, np.float32)


def unreadable_images(
    images: ImageSet, view: Prepare, *, workers: int, job: Job, pause: Callable[[int], None]
) -> list[str]:
    """Read, decode and prepare this process's part of the images; say why some cannot be.

    Args:
        images: all that will be used.
        view: prepares them.
        workers: processes that read.
        job: the processes that share the images.
        pause: takes the number of images of each batch that was read.
    """
    mine = list(range(job.rank, len(images), job.size))
    cut = [mine[at : at + LOOKED_AT] for at in range(0, len(mine), LOOKED_AT)]
    reasons: list[str] = []
    with closing(read_batches(images, cut, (Probe(view),), workers=workers)) as read:
        for batch, positions in zip(read, cut, strict=True):
            reasons += [failure.reason for failure in batch.failures]
            pause(job.size * len(positions))
    return reasons
