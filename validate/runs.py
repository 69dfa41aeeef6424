"""How a measurement runs on a device: each network under each pipeline, and the options as used."""

from collections.abc import Sequence
from datetime import UTC, datetime

import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import DTYPES, Precision
from resnext.inference.fusion import repeats
from resnext.inference.predictor import Predictor
from resnext.inference.scaling import choose, takes_over
from resnext.pixels.resample import engine
from validate.measured_pass import PreparedRun
from validate.networks import LoadedNetwork, wants_to_scale
from validate.options import MeasurementConfig
from validate.verdicts.results import MeasuredRun


def prepare_runs(
    networks: Sequence[LoadedNetwork], config: MeasurementConfig, device: torch.device
) -> tuple[PreparedRun, ...]:
    """Return a run for each network and preprocessing; those of one network share its predictor."""
    found = []
    on_device = may_scale(networks, config, device)
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
        for preprocessing in each.preprocessings:
            run = MeasuredRun(
                checkpoint=each.file,
                network=each.protocol.name,
                weights_sha256=digest,
                preprocessing=preprocessing,
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


def settings(
    networks: Sequence[LoadedNetwork], config: MeasurementConfig, device: torch.device, job: Job
) -> dict[str, object]:
    """Return every option as it is used, for the report, ready for JSON."""
    on_device = choose(device).chosen if may_scale(networks, config, device) else None
    pipelines = [way.pipeline for network in networks for way in network.preprocessings]
    repeated = config.compiled or repeats(device, DTYPES[Precision(config.precision)])
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": str(device) if job.size == 1 else device.type,
        "precision": config.precision,
        "compile": config.compiled,
        "tf32": config.precision == "tf32",
        "cudnn_benchmark": not repeated,
        "cudnn_deterministic": repeated,
        "bicubic": f"{on_device.name} on the device" if on_device else engine(),
        "pipelines": [str(pipeline) for pipeline in dict.fromkeys(pipelines)],
        "crops": config.crops,
        "batch_size": config.batch_size_on(device),
        "workers": config.workers_on(device, processes=job.local_size),
        "threads": torch.get_num_threads(),
        "processes": job.size,
        "limit": config.limit,
        "seed": config.seed,
        "compare_precision": config.compare_precision,
        "canary": config.canary,
        "strict": config.strict,
    }


def may_scale(
    networks: Sequence[LoadedNetwork], config: MeasurementConfig, device: torch.device
) -> bool:
    """Tell whether the device, not the reading processes, scales the images of some of the runs."""
    return wants_to_scale(networks, config) and takes_over(device)
