"""How a measurement runs on a device: each network under each pipeline, and the options as used."""

from collections.abc import Sequence
from datetime import UTC, datetime

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import DTYPES, Precision
from resnext.inference.fusion import repeats
from resnext.inference.predictor import Predictor
from resnext.inference.scaling import choose, takes_over
from resnext.machine import usual_batch_size, usual_workers
from resnext.pixels.pipelines import Pipeline
from resnext.pixels.resample import engine
from validate.measured_pass import PreparedRun
from validate.networks import LoadedNetwork
from validate.options import MeasurementConfig
from validate.verdicts.results import MeasuredRun


def prepare_runs(
    networks: Sequence[LoadedNetwork], config: MeasurementConfig, device: torch.device
) -> tuple[PreparedRun, ...]:
    """Return a run for each network and pipeline; those of one network share its predictor."""
    found = []
    on_device = may_scale(config, device)
    for each in networks:
        network = each.checkpoint.build()
        digest = each.checkpoint.digest()
        predictor = Predictor(
            network,
            device=device,
            precision=Precision(config.precision),
            compiled=config.compiled,
        )
        reference = None
        if config.compare_precision:
            reference = Predictor(network, device=device, precision=Precision.FP32)
        for pipeline in config.pipelines:
            run = MeasuredRun(
                checkpoint=each.file,
                network=each.protocol.name,
                weights_sha256=digest,
                preprocessing=each.preprocessing,
                pipeline=pipeline,
                crops=config.crops,
                precision=config.precision,
                compiled=config.compiled,
            )
            found.append(
                PreparedRun(
                    run=run,
                    predictor=predictor,
                    reference=reference,
                    on_device=on_device,
                )
            )
    return tuple(found)


def settings(config: MeasurementConfig, device: torch.device, job: Job) -> dict[str, object]:
    """Return every option as it is used, for the report, ready for JSON."""
    on_device = choose(device).chosen if may_scale(config, device) else None
    repeated = config.compiled or repeats(device, DTYPES[Precision(config.precision)])
    usual = usual_workers(device, processes=job.local_size)
    workers = usual if config.workers is None else config.workers
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": str(device) if job.size == 1 else device.type,
        "precision": config.precision,
        "compile": config.compiled,
        "tf32": config.precision == "tf32",
        "cudnn_benchmark": not repeated,
        "cudnn_deterministic": repeated,
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


def may_scale(config: MeasurementConfig, device: torch.device) -> bool:
    """Tell whether the device, not the reading processes, scales the images of some of the runs."""
    return wants_to_scale(config) and takes_over(device)


def wants_to_scale(config: MeasurementConfig) -> bool:
    """Tell whether some run is of the kind that a GPU can scale for: `torch7`, single crop."""
    return Pipeline.TORCH7 in config.pipelines and config.crops == 1
