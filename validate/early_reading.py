"""Reading that begins before torch is imported, for the device that is probably there."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from resnext.distributed.job import Job
from resnext.inference.plan import make_plan
from resnext.loader.batches import Reading, read_batches
from resnext.machine import expected_device
from resnext.pixels.pipelines import Preparation
from validate.networks import wants_to_scale
from validate.request import MeasurementRequest


@contextmanager
def reading_begun(request: MeasurementRequest, job: Job) -> Iterator[Reading | None]:
    """Yield a reading of what will probably be measured; it is closed after the block.

    While torch is imported, the processes that read decode the first batches. Which these are
    depends on the device, of which torch has the last word: `evaluate` uses the reading only where
    it is the one that is wanted.

    Args:
        request: what is measured.
        job: the processes that share the images.

    Yields:
        None where nothing reads ahead, or a ledger may have the first batches already.

    Raises:
        DataError: there are too many files or processes.
    """
    config, images = request.config, request.images
    device = expected_device(config.device)
    workers = config.workers_on(device, processes=job.local_size)
    if not workers or (config.ledger is not None and config.ledger.exists()):
        yield None
        return
    batch_size = config.batch_size_on(device)
    plan = make_plan(len(images), limit=config.limit, seed=config.seed, batch_size=batch_size)
    batches = [plan.batch(each).tolist() for each in range(job.rank, plan.batches, job.size)]
    on_device = device.type == "cuda" and wants_to_scale(request.networks, config)
    preparations = dict.fromkeys(
        Preparation(preprocessing, config.crops, on_device)
        for network in request.networks
        for preprocessing in network.preprocessings
    )
    reading = read_batches(
        images,
        batches,
        tuple(preparations),
        workers=workers,
        pinned=device.type == "cuda",
        handed_back=True,
    )
    with closing(reading):
        yield reading
