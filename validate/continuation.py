"""The ledger of a measurement: what its first line says, and how a run goes on from it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import torch

from resnext.distributed.job import Job
from resnext.images.imagenet import SET, WNIDS
from resnext.inference.plan import Plan
from resnext.machine import PACKAGES, commit, cores
from validate.ledger.ledger import Ledger
from validate.ledger.origin import identity_fields
from validate.ledger.packing import written_plainly
from validate.ledger.stages import agreed, stage_notes
from validate.networks import LoadedNetwork
from validate.options import MeasurementConfig
from validate.verdicts.results import MeasuredRun

# What `versions` says of the machine.
MACHINE: Final = ("python", "system", "processor", "device", "cuda", "cudnn")


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


def machine_of(job: Job, versions: Mapping[str, str]) -> dict[str, object]:
    """Return the names of the machine, and its cores; of a job of several machines, all of them.

    Every process of the job calls it; what is returned on other ranks than 0 is of that rank.

    Args:
        job: the processes.
        versions: package -> version, and the names of this process's machine.
    """
    mine = {name: versions[name] for name in MACHINE if name in versions}
    own: dict[str, object] = {**mine, "cores": cores()}
    return agreed(job.gather(own) or [own])


def made_from(
    networks: Sequence[LoadedNetwork],
    *,
    classes: tuple[str, ...] | None,
    numbered: bool,
    versions: Mapping[str, str],
    machine: Mapping[str, object],
) -> dict[str, object]:
    """Return who makes a ledger, when, where and from which files, as JSON holds it.

    Who judges it later has no checkpoint at hand. A run that goes on may differ in all of this.

    Args:
        networks: in the order of their runs.
        classes: of the images or networks, by label; None if they have no names.
        numbered: the names of the images are places in files.
        versions: package -> version.
        machine: names and cores, as `machine_of` returns them.
    """
    code = commit()
    return {
        "by": f"resnext {versions['resnext']}",
        **({"commit": code} if code else {}),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": dict(machine),
        "classes": networks[0].checkpoint.spec.classes,
        "class_names": SET if classes == WNIDS else classes,
        **({"numbered": True} if numbered else {}),
        "checkpoints": [_origin(each) for each in networks for _ in each.preprocessings],
    }


def _origin(network: LoadedNetwork) -> dict[str, object]:
    """Return where a network comes from, its names, and what its claims preprocess with."""
    source = network.checkpoint.provenance
    found: dict[str, object] = {
        "file": source.source_file,
        "sha256": source.source_sha256,
        "bytes": source.source_bytes,
    }
    known = {name: value for name, value in found.items() if value is not None}
    identity = network.protocol.identity
    if identity is not None:
        known |= identity_fields(identity)
    return {**known, "preprocessing": network.protocol.preprocessing.to_fields()}


@contextmanager
def opened_ledger(
    path: Path | None,
    job: Job,
    described: Mapping[str, Any],
    plan: Plan,
    *,
    made: Mapping[str, Any],
) -> Iterator[Ledger | None]:
    """Open the ledger on rank 0, where there is to be one; see `Ledger.open`.

    One that is to be compressed is so when the block ends without an error; see `written_plainly`.
    """
    if path is None or not job.leads:
        yield None
        return
    with written_plainly(path) as plain, Ledger.open(plain, described, plan, made=made) as ledger:
        yield ledger


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


def machines_of(ledger: Ledger | None, versions: Mapping[str, str]) -> dict[str, str]:
    """Return versions, and the names of the machines that decided the images of a ledger.

    Args:
        ledger: open; or None, where all images are decided here.
        versions: package -> version, and the names of this machine.
    """
    stages = [stage.facts for stage in ledger.stages] if ledger and ledger.batches else []
    stated = agreed([each for each in stages if each.keys() & set(MACHINE)])
    if not stated:
        return dict(versions)
    named = {str(name): str(stated[name]) for name in MACHINE if name in stated}
    known = {name: text for name, text in versions.items() if name not in MACHINE or name in named}
    return {**known, **named}  # in the order of the versions


def continuation_notes(ledger: Ledger, plan: Plan) -> Iterator[str]:
    """Yield what is worth knowing about a ledger that holds decisions already, a sentence each."""
    failed = sum(entry.failure is not None for entry in ledger.done)
    unreadable = f", {failed} as unreadable; remove the file to try these again" if failed else ""
    done = f"{len(ledger.done)} of {len(plan)} images are there already"
    yield f"{ledger.path}: {done}{unreadable}"
    yield from stage_notes(ledger.path, ledger.stages)
    if sizes := images_by_batch_size(ledger, plan):
        each = [f"{images} images in batches of {size}" for size, images in sizes.items()]
        yield (
            f"{ledger.path}: {' and '.join(each)}; another size may change the last bits of logits"
        )
