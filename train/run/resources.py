"""The processes, device and workers that a run uses."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import Precision, check_precision, find_device
from resnext.loader.library_warnings import LibraryWarnings
from resnext.machine import usual_workers
from train.input.task import Task
from train.recipe.recipe import RecipeError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resources:
    """What a run is computed with.

    Attributes:
        job: the processes that share it.
        device: of this process.
        workers: processes that read images ahead for this one.
        heard: takes what libraries print about the images that this process reads.
    """

    job: Job
    device: torch.device
    workers: int
    heard: LibraryWarnings = field(default_factory=LibraryWarnings)


def find_resources(task: Task, job: Job, note: Callable[[str], object]) -> Resources:
    """Return the device and number of workers that the options ask for, or the usual ones.

    Args:
        task: the training.
        job: the processes that share it.
        note: takes a sentence that the user should know.

    Raises:
        DeviceError: there is no such device, or it does not have the recipe's precision.
        RecipeError: the recipe needs another kind of device.
    """
    config, recipe = task.config, task.recipe
    device = find_device(job.device_name(config.device))
    check_precision(Precision(recipe.precision), device)
    if recipe.sync_bn and device.type != "cuda":
        raise RecipeError(
            f"--sync-bn: NVIDIA GPUs expected, as PyTorch's synchronised batch norm runs on these "
            f"only, found {device.type}; leave it out"
        )
    workers = config.workers
    if workers is None:
        workers = usual_workers(device, processes=job.local_size)
    return Resources(job=job, device=device, workers=workers, heard=LibraryWarnings(note))
