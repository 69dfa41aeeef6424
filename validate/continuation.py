"""A measurement that goes on from a ledger: which one it may be, and what is said about it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from resnext.distributed.job import Job
from resnext.inference.plan import Plan
from resnext.machine import PACKAGES
from validate.ledger.ledger import Ledger
from validate.options import MeasurementConfig
from validate.verdicts.results import MeasuredRun


def identity(
    config: MeasurementConfig,
    plan: Plan,
    runs: Sequence[MeasuredRun],
    *,
    images: Mapping[str, Any],
    device: torch.device,
    versions: Mapping[str, str],
) -> dict[str, object]:
    """Describe a measurement: a ledger, and the other processes, must be of the same one.

    The machine is left out, and which of its GPUs computes, so that a measurement may be continued
    elsewhere; so is what changes no decision: the number of readers and processes, or a seed
    without a sample. All settings but the batch size must be the same to go on.

    Args:
        config: the options.
        plan: which images are measured, in which batches.
        runs: every way to measure every network.
        images: number and sha256 of the whole set.
        device: that computes.
        versions: package -> version, and the machine's names.
    """
    sampled = len(plan) < images["images"]
    settings = {
        "device": device.type,
        "batch_size": plan.batch_size,
        "limit": config.limit if sampled else None,
        "seed": config.seed if sampled else 0,
        "compare_precision": config.compare_precision,
    }
    return {
        "data": dict(images),
        "settings": settings,
        "runs": [run.to_fields() for run in runs],
        "versions": {package: versions[package] for package in PACKAGES},
    }


def opened_ledger(
    path: Path | None, job: Job, described: Mapping[str, Any], plan: Plan
) -> AbstractContextManager[Ledger | None]:
    """Open the ledger on rank 0, where there is to be one; see `Ledger.open`."""
    if path is None or not job.leads:
        return nullcontext()
    return Ledger.open(path, described, plan)


def images_by_batch_size(ledger: Ledger | None, plan: Plan) -> dict[str, int] | None:
    """Return how many images go through the networks in batches of which size, in their order.

    None stands for all of them in batches of the plan's size, the usual case.
    """
    if ledger is None or set(ledger.sizes) <= {plan.batch_size}:
        return None
    sizes = Counter(ledger.sizes)
    if left := len(plan) - len(ledger.done):
        sizes[plan.batch_size] += left
    return {str(size): images for size, images in sizes.items()}


def continuation_notes(ledger: Ledger, plan: Plan) -> Iterator[str]:
    """Yield what is worth knowing about a ledger that holds decisions already, a sentence each."""
    failed = sum(entry.failure is not None for entry in ledger.done)
    unreadable = f", {failed} as unreadable; remove the file to try these again" if failed else ""
    done = f"{len(ledger.done)} of {len(plan)} images are there already"
    yield f"{ledger.path}: {done}{unreadable}"
    if sizes := images_by_batch_size(ledger, plan):
        each = [f"{images} images in batches of {size}" for size, images in sizes.items()]
        yield (
            f"{ledger.path}: {' and '.join(each)}; another size may change the last bits of logits"
        )
