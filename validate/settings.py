"""The options of a measurement as they are used, for the report."""

from datetime import UTC, datetime

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import ARITHMETIC_FLAGS
from resnext.inference.scaling import choose
from resnext.machine import usual_batch_size, usual_workers
from resnext.pixels.resample import engine
from validate.options import MeasurementConfig
from validate.runs import may_scale


def settings(config: MeasurementConfig, device: torch.device, job: Job) -> dict[str, object]:
    """Return every option as it is used, ready for JSON."""
    on_device = choose(device).chosen if may_scale(config, device) else None
    usual = usual_workers(device, processes=job.local_size)
    workers = usual if config.workers is None else config.workers
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": str(device) if job.size == 1 else device.type,
        "precision": config.precision,
        "compile": config.compiled,
        "tf32": config.precision == "tf32",
        **ARITHMETIC_FLAGS,
        "bicubic": f"{on_device.name} on the device" if on_device else engine(),
        "pipelines": [str(pipeline) for pipeline in config.pipelines],
        "crops": config.crops,
        # The number of crops in a batch is the same for one crop and for ten.
        "batch_size": config.batch_size or max(usual_batch_size(device) // config.crops, 1),
        "workers": workers,
        "threads": torch.get_num_threads(),
        "processes": job.size,
        "limit": config.limit,
        "seed": config.seed,
        "compare_precision": config.compare_precision,
        "canary": config.canary,
        "strict": config.strict,
    }
