"""Which images are measured, in which batches, and by which process of a job."""

from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The images of a measurement in batches whose composition nothing changes.

    Batches are cut before they are dealt out, so that each image meets the same others, and gets
    the same bits, in every number of processes and however often the run was cut off.

    Attributes:
        positions: (N,) int64, ascending places in the image set.
        batch_size: images of a batch, >= 1; the last may be smaller.
        done_images: so many images at the start were measured earlier, in batches of any size.
        done_batches: number of those batches.
    """

    positions: NDArray[np.int64]
    batch_size: int
    done_images: int = 0
    done_batches: int = 0

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def batches(self) -> int:
        """Count the batches, those that were measured earlier included."""
        return self.done_batches - (self.done_images - len(self)) // self.batch_size

    def first(self, number: int) -> int:
        """Return the place in the plan of a batch's first image.

        Args:
            number: of the batch, at least `done_batches`.
        """
        return self.done_images + (number - self.done_batches) * self.batch_size

    def batch(self, number: int) -> NDArray[np.int64]:
        """Return the places in the image set of a batch's images.

        Args:
            number: of the batch, at least `done_batches`.
        """
        return self.positions[self.first(number) :][: self.batch_size]

    def dealt(self, *, rank: int, size: int) -> list[list[int]]:
        """Return the batches of one process of a job of so many, as places in the image set."""
        return [self.batch(each).tolist() for each in range(rank, self.batches, size)]

    def after(self, *, images: int, batches: int) -> "Plan":
        """Return the plan of which so many images were measured, in so many batches."""
        return replace(self, done_images=images, done_batches=batches)


def make_plan(images: int, *, limit: int | None, seed: int, batch_size: int) -> Plan:
    """Plan all images, or a random sample of them.

    Args:
        images: size of the set.
        limit: size of the sample; None, or one not smaller than the set, takes all.
        seed: of the sample; the same on every machine and in every version of Python.
        batch_size: images of a batch, >= 1.
    """
    if limit is None or limit >= images:
        positions = np.arange(images)
    else:
        positions = np.array(sorted(Random(seed).sample(range(images), limit)))  # noqa: S311
    return Plan(positions=positions.astype(np.int64), batch_size=batch_size)
