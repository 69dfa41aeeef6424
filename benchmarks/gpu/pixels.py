"""Decoded bytes to network input on a GPU: the same values as on the CPU, and what they cost."""

from collections.abc import Callable, Sequence
from functools import partial
from os import cpu_count
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.machine import Common, command, first_line, seconds_of
from benchmarks.pictures import FORTY, draw_many
from resnext.fast_path import FAILURES
from resnext.inference import scaling
from resnext.inference.arithmetic import find_device
from resnext.inference.scaling import Engine, levels_on
from resnext.pixels.decoding import decode
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import prepare_pixels, raw_crop
from resnext.preprocessing import IMAGENET

BATCH_SIZE = 128
BATCHES = 8
CALLS = 5


@command
@click.option("--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE)
@click.option("--batches", type=click.IntRange(min=1), default=BATCHES, help="All different.")
@click.option("--calls", type=click.IntRange(min=1), default=CALLS, help="Of each in a round.")
def main(common: Common, *, batch_size: int, batches: int, calls: int) -> None:
    """Compare and measure."""
    device = find_device(common.device)
    count = batch_size * batches
    files = draw_many(count, processes=min(cpu_count() or 1, -(-count // FORTY)))
    pictures = [decode(data) for data in files]
    # Behind them one of another number of pictures, as the last batch of a measurement is.
    cuts = [*range(0, count, batch_size), count - max(batch_size // 3, 1)]
    parts = [pictures[cut : cut + batch_size] for cut in cuts]
    expected = [
        torch.from_numpy(np.stack([prepare_pixels(each, IMAGENET) for each in part]))
        for part in parts
    ]
    crops = [RawCrops.of([raw_crop(each, IMAGENET) for each in part]) for part in parts]
    if common.is_cuda:
        expected = [each.pin_memory() for each in expected]
        crops = [each.pin_memory() for each in crops]
    there = [each.to(device) for each in crops]
    engines = [each for each in scaling.ENGINES if device.type in each.devices]
    rows: dict[str, dict[str, Any]] = {}
    for each in engines:
        try:
            rows[each.name] = compare(each, there, expected)
        except FAILURES as error:
            rows[each.name] = {"failed": first_line(error)}
    working = [each for each in engines if "failed" not in rows[each.name]]
    spent = measure(working, crops[:-1], expected[:-1], device, common=common, calls=calls)
    for name, row in spent.items():
        rows[name] = rows.get(name, {}) | {"milliseconds": round(1000 * median(row), 3)}
    facts = {
        "batch_size": batch_size,
        "batches": batches,
        "rounds": common.rounds,
        "megabytes": {
            "bytes": _megabytes([each.nbytes for each in crops[:-1]]),
            "float32": _megabytes([each.nbytes for each in expected[:-1]]),
        },
        "rows": rows,
    }
    common.keep("gpu_pixels", facts, full=batch_size >= BATCH_SIZE)
    if failed := [each.name for each in engines if each not in working]:
        raise click.ClickException(f"these failed: {', '.join(failed)}")
    wrong = {each.name: rows[each.name]["differing"] for each in engines}
    if any(wrong.values()):
        raise click.ClickException(f"every bit of the CPU's values expected, differing: {wrong}")


def compare(
    engine: Engine, crops: Sequence[RawCrops], expected: Sequence[Tensor]
) -> dict[str, Any]:
    """Return how far the device's values are from the CPU's, and what each first call took."""
    furthest, differing, firsts = 0.0, 0, []
    for each, wanted in zip(crops, expected, strict=True):
        firsts.append(seconds_of(partial(_scale, engine, each), each.device, calls=1))
        found = _scale(engine, each).cpu().contiguous()
        furthest = max(furthest, float((found - wanted).abs().max()))
        differing += int((found.view(torch.int32) != wanted.view(torch.int32)).sum())
    return {
        "values": sum(each.numel() for each in expected),
        "differing": differing,
        "furthest": furthest,
        # One that is much slower than the others was compiled anew.
        "first_seconds": [round(seconds, 3) for seconds in firsts],
    }


def measure(
    engines: Sequence[Engine],
    crops: Sequence[RawCrops],
    finished: Sequence[Tensor],
    device: torch.device,
    *,
    common: Common,
    calls: int,
) -> dict[str, list[float]]:
    """Return the seconds of a batch, round by round: of scaling, copying, and both together.

    Args:
        engines: that scale.
        crops: batches on the CPU, which a GPU can read by itself.
        finished: the same as network input.
        device: that they are copied to.
        common: the rounds.
        calls: of each in a round.
    """
    there = [each.to(device) for each in crops]
    ways: dict[str, Callable[[], object]] = {
        engine.name: partial(lambda by: [_scale(by, each) for each in there], engine)
        for engine in engines
    }
    if common.is_cuda:  # elsewhere nothing is copied
        ways |= {
            "copied_bytes": lambda: [each.to(device, non_blocking=True) for each in crops],
            "copied_float32": lambda: [each.to(device, non_blocking=True) for each in finished],
        }
    if common.is_cuda and engines:
        ways["copied_and_scaled"] = lambda: [
            _scale(engines[0], each.to(device, non_blocking=True)) for each in crops
        ]
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(common.rounds + 1):
        for name, call in ways.items():
            seconds = seconds_of(call, device, calls=calls)
            if turn:  # the first is for warmth
                spent[name].append(seconds / len(crops))
    return spent


def _scale(engine: Engine, crops: RawCrops) -> Tensor:
    """Scale as in a measurement."""
    with torch.inference_mode():
        levels = levels_on(crops.preprocessing, crops.device)
        return engine.load()(crops, *levels)


def _megabytes(sizes: Sequence[int]) -> float:
    return round(sum(sizes) / len(sizes) / 1e6, 2)


if __name__ == "__main__":
    main()
