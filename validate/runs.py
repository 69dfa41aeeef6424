"""The runs of a measurement: each network under each pipeline, ready to compute on a device."""

from collections.abc import Sequence

import torch

from resnext.inference.arithmetic import Precision
from resnext.inference.predictor import Predictor
from resnext.inference.scaling import takes_over
from resnext.pixels.pipelines import Pipeline
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


def may_scale(config: MeasurementConfig, device: torch.device) -> bool:
    """Tell whether the device, not the reading processes, scales the images of some of the runs."""
    return wants_to_scale(config) and takes_over(device)


def wants_to_scale(config: MeasurementConfig) -> bool:
    """Tell whether some run is of the kind that a GPU can scale for: `torch7`, single crop."""
    return Pipeline.TORCH7 in config.pipelines and config.crops == 1
