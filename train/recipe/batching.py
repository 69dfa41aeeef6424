"""Which images make up each step of an epoch, and each process's share of them."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.recipe.random_streams import epoch_order
from train.recipe.recipe import Recipe, RecipeError

Positions = NDArray[np.int64]

# Images that a process needs at once: batch norm over a single image learns nothing.
FEWEST: Final = 2


def fitted(recipe: Recipe, images: int) -> Recipe:
    """Return a recipe whose batch is no larger than the training set.

    The learning rate, where it is scaled with the batch, and what is printed then describe the
    steps that are taken.

    Args:
        recipe: as requested.
        images: number of training images.
    """
    size = min(recipe.batch_size, images)
    return replace(recipe, batch_size=size, accumulate=min(recipe.accumulate, size))


def check_batches(images: int, recipe: Recipe, *, processes: int) -> None:
    """Check that every process gets enough images in every micro-batch.

    Raises:
        RecipeError: the batch is too small, or there are too few images.
    """
    fewest = FEWEST * processes * recipe.accumulate
    # A batch of the whole training set is split into as many micro-batches as it allows.
    if recipe.batch_size < min(fewest, images):
        raise RecipeError(
            f"--batch-size {recipe.batch_size}: at least {fewest} expected, two images for each "
            f"process and part of a step ({processes} x {recipe.accumulate}), as batch norm learns "
            "nothing from one"
        )
    if images < FEWEST * processes:
        raise RecipeError(
            f"{images} images to train on: at least two for each of {processes} processes expected"
        )


def left_out(images: int, recipe: Recipe, *, processes: int) -> int:
    """Count the images that each epoch leaves out, different ones each time: too few for a step."""
    rest = images % recipe.batch_size
    return rest if rest < FEWEST * processes and images > rest else 0


def steps_of_epoch(images: int, recipe: Recipe, *, processes: int) -> int:
    """Count the steps of an epoch; the last may have a smaller batch, as in the original."""
    rest = left_out(images, recipe, processes=processes)
    return -(-(images - rest) // recipe.batch_size)


def epoch_batches(
    images: int, recipe: Recipe, *, seed: int, epoch: int, processes: int
) -> list[Positions]:
    """Return the positions of the images of each step of an epoch, in the order of that epoch.

    Args:
        images: number of training images.
        recipe: gives the batch size, over all processes.
        seed, epoch: determine the order; nothing else does.
        processes: number of processes in the job.
    """
    order = epoch_order(images, seed=seed, epoch=epoch)
    steps = steps_of_epoch(images, recipe, processes=processes)
    return [order[step * recipe.batch_size :][: recipe.batch_size] for step in range(steps)]


def shares(batch: Positions, *, micro_batches: int, rank: int, processes: int) -> list[Positions]:
    """Return the share of one process in each micro-batch of a step.

    The batch is split into micro-batches before they are split among the processes, so that a
    micro-batch holds the same images whatever the number of processes.

    Args:
        batch: positions of the images of the step.
        micro_batches: how many are wanted; a small batch gives fewer.
        rank: of the process.
        processes: number of processes in the job.
    """
    count = max(min(micro_batches, len(batch) // (FEWEST * processes)), 1)
    return [np.array_split(each, processes)[rank] for each in np.array_split(batch, count)]
