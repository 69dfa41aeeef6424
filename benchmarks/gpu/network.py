"""The network alone on a GPU: this project's, plainer ones, and timm's, in turn."""

import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import convert
from benchmarks.calibrated import write_calibrated
from benchmarks.gpu.machine import (
    FULL,
    NETWORKS,
    Common,
    best_of,
    command,
    first_line,
    seconds_of,
)
from benchmarks.gpu.ways import COMPARED, COMPILED, EAGER, WAYS, Compute, Subject, Way
from benchmarks.pictures import draw_many
from resnext.fast_path import FAILURES
from resnext.inference.arithmetic import Precision, find_device
from resnext.pixels.pipelines import prepare
from resnext.preprocessing import IMAGENET

BATCH_SIZE = 256
CALLS = 20
WARM = 5
PICTURES = 1000
FEWEST = 32  # of a batch whose times are kept


@dataclass(slots=True, kw_only=True)
class Trial:
    """A way that is tried.

    Attributes:
        way: what it is.
        compute: the network.
        facts: what was found of it.
        seconds: of a batch, round by round.
    """

    way: Way
    compute: Compute
    facts: dict[str, Any]
    seconds: list[float]


@command
@click.option("--network", type=click.Choice(tuple(NETWORKS)), default=FULL[0])
@click.option("--precision", type=click.Choice([each.value for each in Precision]), default="bf16")
@click.option("--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE)
@click.option("--calls", type=click.IntRange(min=1), default=CALLS, help="Of a way in a round.")
@click.option("--pictures", type=click.IntRange(min=1), default=PICTURES, help="To decide.")
@click.option("--compiled", is_flag=True, help="Those of torch.compile, and some others.")
@click.option("--way", "names", multiple=True, type=click.Choice(tuple(WAYS)), help="Only these.")
def main(
    common: Common,
    *,
    network: str,
    precision: str,
    batch_size: int,
    calls: int,
    pictures: int,
    compiled: bool,
    names: tuple[str, ...],
) -> None:
    """Measure one network in one precision."""
    device = find_device(common.device)
    inputs = _pictures(pictures)
    example = inputs[torch.arange(batch_size) % len(inputs)].to(device)
    with tempfile.TemporaryDirectory() as folder:
        # What an earlier run compiled would hide what the first call of a way takes.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder, "compiled"))
        path = Path(folder, f"calibrated_{network}.safetensors")
        write_calibrated(path, NETWORKS[network])
        subject = Subject(
            network=convert.load(path).build(),
            device=device,
            precision=Precision(precision),
            example=example,
        )
        chosen = names or ((*COMPARED, *COMPILED) if compiled else EAGER)
        is_half = subject.dtype is not torch.float32
        ways = {name: WAYS[name] for name in chosen if is_half or not WAYS[name].halves}
        rows = measure(ways, subject, inputs, rounds=common.rounds, calls=calls)
    facts = {
        "network": network,
        "precision": precision,
        "batch_size": batch_size,
        "calls": calls,
        "pictures": pictures,
        "rounds": common.rounds,
        "rows": rows,
    }
    kind = "gpu_network_compiled" if compiled else "gpu_network"
    full = not names and batch_size >= FEWEST and pictures >= PICTURES
    common.keep(f"{kind}_{network}_{precision}", facts, full=full)


def measure(
    ways: Mapping[str, Way], subject: Subject, pictures: Tensor, *, rounds: int, calls: int
) -> dict[str, dict[str, Any]]:
    """Return what each way takes, and what it decides otherwise than the plain network in fp32.

    A way that fails is said to have failed, with the first line of the error.

    Args:
        ways: by name.
        subject: what is computed, and the batch that is timed.
        pictures: (N, 3, H, W) float32 on the CPU, to be decided.
        rounds: in each of which every way is timed.
        calls: of a way in a round.
    """
    exact = replace(subject, precision=Precision.FP32)
    plain = WAYS["plain"]
    with plain.settings(Precision.FP32):
        expected = _logits(plain.make(exact), plain, exact, pictures)
    failed: dict[str, str] = {}
    trials: dict[str, Trial] = {}
    for name, way in ways.items():
        try:
            trials[name] = _begin(way, subject, pictures, expected)
        except FAILURES as error:
            failed[name] = first_line(error)
        print(name, trials[name].facts if name in trials else failed[name], flush=True)
    for _ in range(rounds):
        for name, trial in list(trials.items()):
            try:
                trial.seconds.append(_time(trial, subject, calls))
            except FAILURES as error:
                failed[name] = first_line(error)
                del trials[name]
    return _rows(ways, trials, failed, batch_size=len(subject.example))


def _begin(way: Way, subject: Subject, pictures: Tensor, expected: NDArray[np.float32]) -> Trial:
    """Make a network, let it answer for the first time, and look at its decisions."""
    with way.settings(subject.precision):
        begin = time.perf_counter()
        compute = way.make(subject)
        compute(way.inputs(subject.example, subject)).cpu()
        first = time.perf_counter() - begin
        logits = _logits(compute, way, subject, pictures)
    furthest = float(np.abs(logits - expected).max())
    facts = {
        "first_seconds": round(first, 2),
        "changed": int((logits.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "furthest": float(f"{furthest:.2g}") if math.isfinite(furthest) else None,
    }
    return Trial(way=way, compute=compute, facts=facts, seconds=[])


def _time(trial: Trial, subject: Subject, calls: int) -> float:
    way = trial.way
    with way.settings(subject.precision):
        inputs = way.inputs(subject.example, subject)
        for _ in range(min(WARM, calls)):
            trial.compute(inputs)
        return seconds_of(lambda: trial.compute(inputs), subject.device, calls=calls)


def _logits(compute: Compute, way: Way, subject: Subject, pictures: Tensor) -> NDArray[np.float32]:
    """Return the logits (N, classes) of pictures, in batches that are all of the same size."""
    size = len(subject.example)
    padded = torch.arange(math.ceil(len(pictures) / size) * size) % len(pictures)
    found = []
    for some in torch.split(padded, size):
        inputs = way.inputs(pictures[some].to(subject.device), subject)
        found.append(compute(inputs).float().cpu().numpy().copy())
    return np.concatenate(found)[: len(pictures)]


def _rows(
    ways: Mapping[str, Way],
    trials: Mapping[str, Trial],
    failed: Mapping[str, str],
    *,
    batch_size: int,
) -> dict[str, dict[str, Any]]:
    speeds = {name: [batch_size / s for s in trial.seconds] for name, trial in trials.items()}
    theirs = best_of([name for name in trials if name.startswith("timm")], speeds)
    rows: dict[str, dict[str, Any]] = {}
    for name in ways:
        if name in failed:
            rows[name] = {"failed": failed[name]}
            continue
        ratios = [one / other for one, other in zip(speeds[name], theirs, strict=False)]
        rows[name] = {
            "milliseconds": round(1000 * median(trials[name].seconds), 3),
            "images_per_second": round(median(speeds[name]), 1),
            "times_timm": round(median(ratios), 2) if ratios else None,
            **trials[name].facts,
        }
    return rows


def _pictures(count: int) -> Tensor:
    """Return network input (N, 3, n, n) of pictures that did not calibrate the network."""
    files = draw_many(count, first=1, processes=min(os.cpu_count() or 1, -(-count // 40)))
    return torch.from_numpy(np.stack([prepare(data, IMAGENET) for data in files]))


if __name__ == "__main__":
    main()
