"""A measurement, from a checked request to the report.

This module and what it imports need torch, which takes seconds to import; `validate.request` does
what can be done before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from resnext.distributed.job import Job
from resnext.images.imagenet import WNIDS, titles
from resnext.inference.arithmetic import (
    Precision,
    check_precision,
    find_device,
    use_processors,
)
from resnext.inference.plan import Plan, make_plan
from resnext.inference.predictor import slower_ways
from resnext.loader.batches import Reading, memory_explained
from resnext.machine import versions
from resnext.terminal.timeline import Step
from resnext.terminal.watcher import Watcher
from validate.continuation import (
    continuation_notes,
    identity,
    images_by_batch_size,
    machine_of,
    machines_of,
    made_from,
    opened_ledger,
)
from validate.ledger.entries import Collection
from validate.measured_pass import Measurement, run_pass
from validate.networks import LoadedNetwork, wants_to_scale
from validate.request import MeasurementRequest
from validate.runs import prepare_runs, settings
from validate.verdicts.judged_run import Answered, judged_run
from validate.verdicts.pictures import UNCHECKED, are_published, label_doubts, picture_doubts
from validate.verdicts.results import Report, Result


def measure(
    request: MeasurementRequest, job: Job, watcher: Watcher, begun: Reading | None = None
) -> Report | None:
    """Measure the networks on the images and judge the claims.

    Args:
        request: what is measured on what.
        job: the processes that share the images.
        watcher: is told about the machine, and how it goes on.
        begun: reads ahead since the request was checked, probably what is needed; or None.

    Returns:
        The report on rank 0; None on the other ranks.

    Raises:
        ResnextError: input that cannot be measured.
        OSError: a file that cannot be opened or written.
    """
    config, networks, images = request.config, request.networks, request.images
    checkpoint = networks[0].checkpoint
    notes = list(request.notes)

    def note(text: str) -> None:
        notes.append(text)
        watcher.note(text)

    device = find_device(job.device_name(config.device))
    check_precision(Precision(config.precision), device)
    torch.empty(1, device=device)  # on a GPU: makes its context
    watcher.mark(Step.DEVICE)
    if device.type == "cpu":
        use_processors(processes=job.local_size)
    precision = Precision(config.precision)
    for text in slower_ways(
        device, precision, compiled=config.compiled, scales=wants_to_scale(networks, config)
    ):
        note(text)
    watcher.mark(Step.TRIED)
    options = settings(networks, config, device, job)
    batch_size, workers = (int(str(options[name])) for name in ("batch_size", "workers"))
    plan = make_plan(len(images), limit=config.limit, seed=config.seed, batch_size=batch_size)
    with memory_explained():
        runs = prepare_runs(networks, config, device)
        watcher.mark(Step.NETWORKS)
        claimed = {each.file for each in networks if each.protocol.claims}
        measurement = Measurement(
            images=images,
            plan=plan,
            runs=runs,
            classes=checkpoint.spec.classes,
            claimed=tuple(each.run.checkpoint in claimed for each in runs),
            workers=workers,
            compared=config.compare_precision,
            stops_early=config.canary,
            begun=begun,
        )
        sha256 = images.digest()
        made_with = versions(device)
        described = identity(
            config,
            plan,
            [each.run for each in runs],
            images={"images": len(images), "sha256": sha256, **_address(images.root)},
            device=device,
            versions=made_with,
        )
        job.agree(described, "checkpoints, images, options or versions")
        names = networks[0].classes or images.classes or checkpoint.wnids
        machine = machine_of(job, made_with)
        made_with |= {name: str(machine[name]) for name in made_with if name in machine}
        made = {}
        if config.ledger is not None and job.leads:
            made = made_from(
                networks,
                classes=names,
                numbered=images.numbered,
                versions=made_with,
                machine=machine,
            )
        with opened_ledger(config.ledger, job, described, plan, made=made) as ledger:
            if sizes := images_by_batch_size(ledger, plan):
                options["images_by_batch_size"] = sizes
            made_with = machines_of(ledger, made_with)
            for text in continuation_notes(ledger, plan) if ledger and ledger.batches else ():
                note(text)
            outcome = run_pass(measurement, job, ledger, replace(watcher, note=note))
            if ledger is not None:
                ledger.finish()
    if outcome is None:
        return None
    for text in dict.fromkeys(text for each in runs for text in each.predictor.refusals):
        note(text)
    collected, timing = outcome
    doubts = _picture_doubts(measurement, names)
    for text in _doubt_notes(request, plan, doubts, names):
        note(text)
    return Report(
        results=tuple(_results(measurement, networks, collected, doubts)),
        images=images,
        images_sha256=sha256,
        classes=titles(names),
        decisions=collected.decisions(),
        forms=dict(collected.forms),
        timing=timing,
        settings=options,
        versions=made_with,
        command=config.command,
        notes=tuple(notes),
        own=tuple(row.name for row in request.own),
        missing=request.missing,
        strict=config.strict,
        trained_on=tuple(each.among(plan.positions) for each in request.trained),
    )


def _address(root: str) -> dict[str, str]:
    """Return the address of images in a store, as a ledger keeps it."""
    return {"address": root} if "://" in root else {}


def _picture_doubts(measurement: Measurement, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return why nothing can be judged by the images, as whoever judges the ledger will say it."""
    if not any(measurement.claimed):
        return ()
    images, positions = measurement.images, measurement.plan.positions
    ids = [images.ids[position] for position in positions.tolist()]
    published = are_published(ids, names=names, classes=measurement.classes)
    others = label_doubts(ids, images.labels[positions]) if published else ()
    return (*picture_doubts(ids, published=published), *others)


def _doubt_notes(
    request: MeasurementRequest, plan: Plan, doubts: Sequence[str], names: tuple[str, ...] | None
) -> Iterator[str]:
    images = request.images
    for doubt in doubts:
        yield f"{images.root}: no verdict: {doubt}"
    own = {row.name for row in request.own}
    claimed = [
        claim
        for each in request.networks
        if each.protocol.name not in own and each.checkpoint.spec.classes == len(WNIDS)
        for claim in each.protocol.claims
    ]
    ids = [images.ids[int(position)] for position in plan.positions[:1]]
    if any(claim.images == len(plan) for claim in claimed) and not are_published(
        ids, names=names, classes=len(WNIDS)
    ):
        yield f"{images.root}: {UNCHECKED}; resnext-judge gives no verdict by a ledger of them"


def _results(
    measurement: Measurement,
    networks: Sequence[LoadedNetwork],
    collected: Collection,
    doubts: Sequence[str],
) -> Iterator[Result]:
    by_file = {network.file: network for network in networks}
    labels = measurement.images.labels[measurement.plan.positions]
    every_class = len(np.unique(measurement.images.labels)) == measurement.classes
    complete = (
        every_class and len(measurement.plan) == len(measurement.images) and not collected.failures
    )
    columns = zip(
        measurement.runs,
        collected.counts(),
        collected.changes(),
        collected.top_five,
        strict=True,
    )
    for prepared, counts, changed, top in columns:
        read = top[:, 0] >= 0
        protocol = by_file[prepared.run.checkpoint].protocol
        yield judged_run(
            Answered(
                run=prepared.run,
                counts=counts,
                answers=top[read, 0],
                labels=labels[read],
                classes=measurement.classes,
                names=titles(measurement.images.classes),
                complete=complete,
                changed=changed,
            ),
            protocol,
            doubts=(*doubts, *protocol.doubts),
        )
