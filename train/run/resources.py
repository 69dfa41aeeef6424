"""The processes, device and workers that a run uses."""

from dataclasses import dataclass

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import Precision, check_precision, find_device
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
    """

    job: Job
    device: torch.device
    workers: int


def find_resources(task: Task, job: Job) -> Resources:
    """Return the device and number of workers that the options ask for, or the usual ones.

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
    return Resources(job=job, device=device, workers=workers)
