"""The processes, device and workers that a run uses."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import Precision, check_precision, find_device
from resnext.loader.library_warnings import LibraryWarnings
from resnext.machine import free_memory, usual_workers
from resnext.terminal.text import number
from train.input.task import Task
from train.recipe.batching import FEWEST
from train.recipe.recipe import RecipeError
from train.step.memory import StepMemory, step_memory


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


def step_memory_of(task: Task, resources: Resources) -> StepMemory:
    """Return the memory that a step of a training takes in one process."""
    first = task.first_network
    return step_memory(
        first.checkpoint.spec,
        task.recipe,
        first.preprocessing.crop,
        processes=resources.job.size,
        saves_memory=task.config.saves_memory,
    )


def free_for_step(resources: Resources) -> int | None:
    """Return the bytes that are free for one process of a step; None where nothing tells."""
    if resources.device.type == "cuda":
        return torch.cuda.mem_get_info(resources.device)[0]
    free = free_memory() if resources.device.type == "cpu" else None
    return None if free is None else free // resources.job.local_size


def has_memory_to_keep(task: Task, resources: Resources) -> bool:
    """Tell whether there is room for memory that is freed and kept, which is faster on a CPU.

    Blocks of many sizes are then never joined: a step was seen to take twice its estimate.
    """
    if resources.device.type != "cpu" or task.config.saves_memory:
        return False
    free = free_for_step(resources)
    return free is None or 2 * step_memory_of(task, resources).estimate <= free


def check_memory(task: Task, resources: Resources) -> str | None:
    """Return a note where a step may not fit into what is free, before any of it is taken.

    The kernel ends a process that takes more than there is, without a word.

    Raises:
        RecipeError: a step cannot fit.
    """
    memory, free = step_memory_of(task, resources), free_for_step(resources)
    if free is None or memory.estimate <= free:
        return None
    preprocessing, recipe = task.first_network.preprocessing, task.recipe
    fits = memory.images_in(free)
    ways = (
        ["a smaller --crop"] if task.config.saves_memory else ["--save-memory", "a smaller --crop"]
    )
    if fits >= FEWEST:
        parts = -(-memory.images * recipe.accumulate // fits)
        batch = fits * resources.job.size * recipe.accumulate
        ways = [f"--accumulate {parts} (the same batch in parts)", f"--batch-size {batch}", *ways]
    text = (
        f"{number(memory.images, 'picture')} at once, of {preprocessing.crop} pixels, take about "
        f"{memory.estimate / 1e9:.1f} GB of memory in this network"
    )
    advice = f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
    if memory.least > free:
        raise RecipeError(
            f"--batch-size {recipe.batch_size}, crop {preprocessing.crop}: a step that fits into "
            f"the {free / 1e9:.1f} GB that are free expected, but {text}; give {advice}"
        )
    return f"{text}, and {free / 1e9:.1f} GB are free: if it ends without a word, give {advice}"
