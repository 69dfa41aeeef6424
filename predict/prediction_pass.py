"""The pass over the pictures: batches dealt out to processes, predictions in order.

This module and what it imports need torch, which takes seconds to import; `predict.request` does
what can be done before.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch

from predict.answers import answers_of
from predict.prediction import Prediction
from predict.request import PredictionRequest
from resnext.distributed.job import Job
from resnext.inference.arithmetic import (
    Precision,
    check_precision,
    find_device,
    use_processors,
)
from resnext.inference.evaluation import BatchResult, Way, check_finite, evaluate_rounds
from resnext.inference.predictor import Predictor, slower_ways
from resnext.inference.scaling import takes_over
from resnext.loader.batches import Reading, memory_explained
from resnext.loader.library_warnings import LibraryWarnings
from resnext.terminal.watcher import Watcher


def command_predictions(
    request: PredictionRequest, job: Job, watcher: Watcher, begun: Reading | None
) -> Generator[Prediction, None, None]:
    """Return the `predictions` of a command, whose process does nothing else.

    On a CPU that process keeps the memory that it frees, which no library should decide.

    Args:
        request, job, watcher: see `predictions`.
        begun: reads the pictures ahead since the request was checked; or None.
    """
    device = _checked_device(request, job)
    if device.type == "cpu":
        use_processors(processes=job.local_size)
    return _predictions(request, device, job, watcher, begun)


def predictions(
    request: PredictionRequest, job: Job, watcher: Watcher
) -> Generator[Prediction, None, None]:
    """Return what yields, on rank 0, the network's answer for each picture, in their order.

    A picture that cannot be read has its place, and the reason. On the other ranks nothing comes
    out, and the pictures are shared all the same: all ranks have to go through to the end.

    Args:
        request: what is asked about which pictures.
        job: the processes that share them.
        watcher: is told about the machine, and at the end of what libraries warned of.

    Raises:
        DeviceError: the device or the precision is not there; at once.
        CheckpointError: logits that are not finite.
        DataError: there is not enough memory.
        JobError: another process has ended, or was asked something else.
    """
    return _predictions(request, _checked_device(request, job), job, watcher, None)


def _checked_device(request: PredictionRequest, job: Job) -> torch.device:
    device = find_device(job.device_name(request.config.device))
    check_precision(Precision(request.config.precision), device)
    return device


def _predictions(
    request: PredictionRequest,
    device: torch.device,
    job: Job,
    watcher: Watcher,
    begun: Reading | None,
) -> Generator[Prediction, None, None]:
    config = request.config
    precision = Precision(config.precision)
    if job.size > 1:
        job.agree(_identity(request), "checkpoint, pictures or options")
    for text in slower_ways(device, precision, compiled=config.compiled, scales=request.scales):
        watcher.note(text)
    plan = request.plan_on(device)
    workers = config.workers_on(device, processes=job.local_size)
    if begun is None and config.workers is None and plan.batches == 1:
        workers = 0  # another process reads a single batch no faster, unless it has begun before
    with memory_explained():
        predictor = Predictor(
            request.checkpoint.build(),
            device=device,
            precision=precision,
            compiled=config.compiled,
            features=config.features,
            layer=config.layer,
        )
        preparation = request.preparation(on_device=request.scales and takes_over(device))
        heard = LibraryWarnings(watcher.note)
        results = evaluate_rounds(
            request.pictures,
            plan,
            [Way(predictor=predictor, preparation=preparation)],
            job=job,
            workers=workers,
            heard=heard,
            begun=begun,
        )
        with closing(results):
            for result in results:
                yield from _gathered(result, request, job)
        for each in (job.gather(heard.fields) or [])[1:]:
            heard.join(each)
        if job.leads:
            heard.say()


def _gathered(
    result: BatchResult | None, request: PredictionRequest, job: Job
) -> Iterator[Prediction]:
    """Yield, on rank 0, the predictions of all processes in a round."""
    mine = [] if result is None else batch_predictions(result, request)
    for part in job.gather(mine) or ():
        yield from part


def batch_predictions(result: BatchResult, request: PredictionRequest) -> list[Prediction]:
    """Return a prediction for each picture of a batch, in its order.

    Raises:
        CheckpointError: logits that are not finite.
    """
    config, pictures = request.config, request.pictures
    found: dict[int, Prediction] = {}
    for failure in result.failures:
        name = pictures.ids[failure.position]
        reason = failure.reason.removeprefix(f"{name}: ")
        found[failure.position] = Prediction(image=name, error=reason)
    positions = result.positions.tolist()
    if positions:
        (computed,) = result.logits
        check_finite(
            computed.values,
            lambda row: pictures.ids[positions[row]],
            checkpoint=request.name,
            precision=config.precision,
        )
        # Both were summed over the crops.
        values = computed.values / np.float32(config.crops)
        classes = len(request.classes)
        answers = answers_of(
            values[:, :classes], request.classes, top=config.top, threshold=config.threshold
        )
        for row, (position, top) in enumerate(zip(positions, answers, strict=True)):
            features = values[row, classes:].copy() if config.features else None
            found[position] = Prediction(image=pictures.ids[position], top=top, features=features)
    return [found[position] for position in result.wanted]


def _identity(request: PredictionRequest) -> dict[str, Any]:
    config = request.config
    return {
        "weights": request.checkpoint.digest(),
        "pictures": list(request.pictures.ids),
        "preprocessing": request.preprocessing.to_fields(),
        "options": [
            *(config.top, config.threshold, config.features, config.layer, config.crops),
            *(config.precision, config.compiled, config.batch_size),
        ],
    }
