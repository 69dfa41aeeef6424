"""Which images a step learns from, and which of them each process takes."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.errors import RecipeError
from train.recipe.random_streams import epoch_order
from train.recipe.recipe import Recipe

Positions = NDArray[np.int64]

# Images that a process needs at once: batch norm over a single one learns nothing.
FEWEST: Final = 2


def fitted(recipe: Recipe, images: int) -> Recipe:
    """Return a recipe whose steps take no more images than there are.

    What is printed, and a rate that grows with the batch, are then those of the steps.

    Args:
        recipe: as it was asked for.
        images: to train on.
    """
    size = min(recipe.batch_size, images)
    return replace(recipe, batch_size=size, accumulate=min(recipe.accumulate, size))


def check_batches(images: int, recipe: Recipe, *, processes: int) -> None:
    """Check that every process gets something to learn from in every part of a step.

    Raises:
        RecipeError: the batch is too small, or there are too few images.
    """
    fewest = FEWEST * processes * recipe.accumulate
    # A step of all images there are is cut into as many parts as they make.
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
    """Count the images that each epoch leaves out: other ones each time, too few for a step."""
    rest = images % recipe.batch_size
    return rest if rest < FEWEST * processes and images > rest else 0


def steps_of_epoch(images: int, recipe: Recipe, *, processes: int) -> int:
    """Count the steps of an epoch; the last may learn from fewer images, as in the original."""
    rest = left_out(images, recipe, processes=processes)
    return -(-(images - rest) // recipe.batch_size)


def epoch_batches(
    images: int, recipe: Recipe, *, seed: int, epoch: int, processes: int
) -> list[Positions]:
    """Return the positions of the images of each step of an epoch, in the order of that epoch.

    Args:
        images: size of the set.
        recipe: decides the size of a batch, over all processes.
        seed, epoch: decide the order, alone.
        processes: of the job.
    """
    order = epoch_order(images, seed=seed, epoch=epoch)
    steps = steps_of_epoch(images, recipe, processes=processes)
    return [order[step * recipe.batch_size :][: recipe.batch_size] for step in range(steps)]


def shares(batch: Positions, *, parts: int, rank: int, processes: int) -> list[Positions]:
    """Return what one process takes of each part of a step.

    The parts are cut first, so that they hold the same images in any number of processes.

    Args:
        batch: positions of the images of the step.
        parts: wanted; fewer where the batch is small.
        rank: of the process.
        processes: of the job.
    """
    parts = max(min(parts, len(batch) // (FEWEST * processes)), 1)
    return [np.array_split(part, processes)[rank] for part in np.array_split(batch, parts)]
