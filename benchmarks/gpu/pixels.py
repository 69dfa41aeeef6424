"""Decoded bytes to network input on a GPU: the same values as on the CPU, and what they cost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from os import cpu_count
from statistics import median
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.machine import Common, command, seconds_of
from benchmarks.pictures import FORTY, draw_many
from resnext.data import device as pixels
from resnext.data.device import Sources, scale_sources
from resnext.data.images import decode
from resnext.data.transforms import crop_source, prepare_pixels
from resnext.preprocessing import IMAGENET

BATCH_SIZE = 128
BATCHES = 8
CALLS = 5
FARTHEST = 1e-6  # that a value may be from the CPU's

Scale = Callable[..., Tensor]
SCALES: dict[str, Callable[[], Scale]] = {
    "eager": lambda: pixels._scale,
    "compiled": lambda: pixels._compiled(),
}


@command
@click.option("--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE)
@click.option("--batches", type=click.IntRange(min=1), default=BATCHES, help="All different.")
@click.option("--calls", type=click.IntRange(min=1), default=CALLS, help="Of each in a round.")
@click.option("--compiled/--no-compiled", default=True, help="As a kernel of torch.compile, too.")
def main(common: Common, *, batch_size: int, batches: int, calls: int, compiled: bool) -> None:
    """Compare and measure."""
    device = torch.device(common.device)
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
    sources = [Sources.of([crop_source(each, IMAGENET) for each in part]) for part in parts]
    if common.is_cuda:
        expected = [each.pin_memory() for each in expected]
        sources = [each.pin_memory() for each in sources]
    there = [each.to(device) for each in sources]
    kinds = [kind for kind in SCALES if compiled or kind != "compiled"]
    rows = {kind: compare(kind, there, expected) for kind in kinds}
    spent = measure(kinds, sources[:-1], expected[:-1], device, common=common, calls=calls)
    for name, row in spent.items():
        rows[name] = rows.get(name, {}) | {"milliseconds": round(1000 * median(row), 3)}
    facts = {
        "batch_size": batch_size,
        "batches": batches,
        "rounds": common.rounds,
        "megabytes": {
            "bytes": _megabytes([_bytes(each) for each in sources[:-1]]),
            "float32": _megabytes([each.nbytes for each in expected[:-1]]),
        },
        "rows": rows,
    }
    common.keep("gpu_pixels", facts, full=compiled and batch_size >= BATCH_SIZE)
    far = {kind: rows[kind]["furthest"] for kind in kinds if rows[kind]["furthest"] >= FARTHEST}
    if far:
        raise click.ClickException(f"less than {FARTHEST} from the CPU's expected, found {far}")


def compare(kind: str, sources: Sequence[Sources], expected: Sequence[Tensor]) -> dict[str, Any]:
    """Return how far the device's values are from the CPU's, and what each first call took."""
    furthest, differing, firsts = 0.0, 0, []
    for each, wanted in zip(sources, expected, strict=True):
        device = each.flat.device
        with _scaled_by(kind):
            firsts.append(seconds_of(partial(scale_sources, each), device, calls=1))
            found = scale_sources(each).cpu()
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
    kinds: Sequence[str],
    sources: Sequence[Sources],
    finished: Sequence[Tensor],
    device: torch.device,
    *,
    common: Common,
    calls: int,
) -> dict[str, list[float]]:
    """Return the seconds of a batch, round by round: of scaling, copying, and both together.

    Args:
        kinds: of scaling.
        sources: batches on the CPU, which a GPU can read by itself.
        finished: the same as network input.
        device: that they are copied to.
        common: the rounds.
        calls: of each in a round.
    """
    there = [each.to(device) for each in sources]
    ways: dict[str, tuple[str | None, Callable[[], object]]] = {
        kind: (kind, lambda: [scale_sources(each) for each in there]) for kind in kinds
    }
    if common.is_cuda:  # elsewhere nothing is copied
        last = kinds[-1]
        ways |= {
            "copied_bytes": (None, lambda: [each.to(device) for each in sources]),
            "copied_and_scaled": (
                last,
                lambda: [scale_sources(each.to(device)) for each in sources],
            ),
            "copied_float32": (
                None,
                lambda: [each.to(device, non_blocking=True) for each in finished],
            ),
        }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(common.rounds + 1):
        for name, (kind, call) in ways.items():
            with _scaled_by(kind):
                seconds = seconds_of(call, device, calls=calls)
            if turn:  # the first is for warmth
                spent[name].append(seconds / len(sources))
    return spent


@contextmanager
def _scaled_by(kind: str | None) -> Iterator[None]:
    """Let `scale_sources` run as it stands, or compiled, whatever the device."""
    if kind is None:
        yield
        return
    chosen = SCALES[kind]()
    with (
        torch.inference_mode(),  # as in a measurement: what is compiled depends on it
        patch.object(pixels, "_scale", chosen),
        patch.object(pixels, "_compiled", lambda: chosen),
    ):
        yield


def _bytes(sources: Sources) -> int:
    parts = (sources.flat, sources.starts, sources.sizes, sources.firsts, sources.fractions)
    return sum(part.nbytes for part in parts)


def _megabytes(sizes: Sequence[int]) -> float:
    return round(sum(sizes) / len(sizes) / 1e6, 2)


if __name__ == "__main__":
    main()
