"""Reading of what will probably be measured, which begins before torch is imported."""

from contextlib import AbstractContextManager, nullcontext

from resnext.distributed.job import Job
from resnext.inference.plan import make_plan
from resnext.loader.batches import Reading
from resnext.loader.early_reading import reading_begun
from resnext.machine import expected_device
from resnext.pixels.pipelines import Preparation
from validate.networks import wants_to_scale
from validate.request import MeasurementRequest


def measurement_begun(
    request: MeasurementRequest, job: Job
) -> AbstractContextManager[Reading | None]:
    """Return a reading of what will probably be measured; see `reading_begun`.

    Args:
        request: what is measured.
        job: the processes that share the images.

    Returns:
        What gives None where nothing reads ahead, or a ledger may have the first batches already.

    Raises:
        DataError: there are too many files or processes; raised when the context is entered.
    """
    config, images = request.config, request.images
    if config.ledger is not None and config.ledger.exists():
        return nullcontext()
    device = expected_device(config.device)
    batch_size = config.batch_size_on(device)
    plan = make_plan(len(images), limit=config.limit, seed=config.seed, batch_size=batch_size)
    on_device = device.type == "cuda" and wants_to_scale(request.networks, config)
    preparations = dict.fromkeys(
        Preparation(preprocessing, config.crops, on_device)
        for network in request.networks
        for preprocessing in network.preprocessings
    )
    return reading_begun(
        images,
        plan.dealt(rank=job.rank, size=job.size),
        tuple(preparations),
        device=device,
        workers=config.workers_on(device, processes=job.local_size),
    )
