"""resnext-train against timm's training on a GPU: images a second of steps that have settled.

With --both each runs as it is and compiled, in turn, in the same rounds.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.gpu.load import Load, load_facts, nvidia_smi, watched
from benchmarks.gpu.machine import FULL, NETWORKS, Common, command
from benchmarks.gpu.passes import Pass, passes
from benchmarks.gpu.timm_training import RATE
from benchmarks.gpu.turns import turns
from benchmarks.gpu.validation import DIFFERENT, TYPES, WORKERS, write_checkpoint, write_folder
from benchmarks.runs import Run
from convert.export.timm import timm_architecture

BATCH_SIZE = 256
# While the first steps are slow the readers get ahead, each by two batches: what they have in hand
# then must be used up before a step is counted.
SKIPPED = 36
STEPS = 40
# What is added to the name of a command that compiles, and to those of results.
COMPILED, BOTH = "_compiled", "_both"
VALIDATED = 20  # pictures, of which two a class; their pass is not counted


@command
@click.option("--network", type=click.Choice(tuple(NETWORKS)), default=FULL[0])
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="bf16")
@click.option("--compile", "compiled", is_flag=True, help="Both with torch.compile.")
@click.option("--both", is_flag=True, help="As they are, and with torch.compile too.")
@click.option("--batch-size", type=click.IntRange(min=2), default=BATCH_SIZE)
@click.option("--workers", type=click.IntRange(min=0), default=WORKERS)
@click.option("--skipped", type=click.IntRange(min=1), default=SKIPPED, help="First steps.")
@click.option("--steps", type=click.IntRange(min=1), default=STEPS, help="That are counted.")
@click.option("--different", type=click.IntRange(min=1), default=DIFFERENT, help="Pictures.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep pictures and network there.")
def main(
    common: Common,
    *,
    network: str,
    precision: str,
    compiled: bool,
    both: bool,
    batch_size: int,
    workers: int,
    skipped: int,
    steps: int,
    different: int,
    folder: Path | None,
) -> None:
    """Measure both, with or without torch.compile, or each in both ways."""
    images = batch_size * (skipped + steps)
    with tempfile.TemporaryDirectory() as runs, nullcontext(folder or Path(runs)) as place:
        pictures = write_folder(place, images, different=different, processes=max(workers, 1))
        few = write_folder(place, VALIDATED, different=VALIDATED, processes=1)
        name, arguments = timm_architecture(NETWORKS[network])
        shared = ["--device", common.device, "--workers", str(workers)]
        shared += ["--batch-size", str(batch_size)]
        timm = [
            *(sys.executable, "-m", "benchmarks.gpu.timm_training", str(pictures), *shared),
            *("--model", name, "--model-kwargs", json.dumps(arguments)),
            *("--skipped", str(skipped)),
            *(["--amp", TYPES[precision]] if precision in TYPES else ["--exact"]),
        ]
        resnext = [
            *(sys.executable, "-m", "benchmarks.gpu.passes", "train", *shared),
            *("--data", str(pictures), "--val-data", str(few), "--no-check"),
            *("--init", str(write_checkpoint(place, network)), "--recipe", "imagenet-2017"),
            *("--epochs", "1", "--lr", str(RATE), "--color-jitter", "0", "--pca-lighting", "0"),
            *("--precision", precision, "--channels-last"),
            *("--output", str(Path(runs, "run")), "--force"),
        ]
        plain = {"timm": timm, "resnext": resnext}
        faster = {"timm": [*timm, "--compiled"], "resnext": [*resnext, "--compile"]}
        commands = faster if compiled else plain
        if both:
            commands = plain | {f"{name}{COMPILED}": words for name, words in faster.items()}
        with watched(nvidia_smi(common.device)) as load:
            for done in turns(commands, rounds=common.rounds, warm=False):
                facts = {
                    "network": network,
                    "precision": precision,
                    "compiled": compiled,
                    "both": both,
                    "batch_size": batch_size,
                    "workers": workers,
                    "skipped_steps": skipped,
                    "counted_steps": steps,
                    "different_pictures": min(different, images),
                    "rounds": done.rounds,
                    "rows": table(done.runs, load, images=images, skipped=skipped),
                    "failed": done.failed,
                }
                full = batch_size >= BATCH_SIZE and skipped >= SKIPPED and steps >= STEPS
                kind = BOTH if both else COMPILED if compiled else ""
                common.keep(f"gpu_training{kind}_{network}_{precision}", facts, full=full)
    if done.failed:
        raise click.ClickException(f"these failed: {', '.join(done.failed)}")


def table(
    done: Mapping[str, Sequence[Run]], load: Load, *, images: int, skipped: int
) -> dict[str, dict[str, Any]]:
    """Return medians of each, and of the ratios to timm, compiled or not too, in the same round."""
    found = {name: [_epoch(run, images) for run in row] for name, row in done.items()}
    speeds = {name: [each.speed(skipped=skipped) for each in row] for name, row in found.items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, row in found.items():
        peer = f"timm{COMPILED}" if name.endswith(COMPILED) else "timm"
        ratios = [a / b for a, b in zip(speeds[name], speeds.get(peer, ()), strict=False)]
        rows[name] = {
            "images_per_second": round(median(speeds[name]), 1),
            "times_timm": round(median(ratios), 2) if ratios else None,
            "first_step_seconds": round(median(e.marks[1][0] - e.begin for e in row), 2),
            "command_to_first_step_seconds": round(
                median(e.marks[1][0] - run.began for e, run in zip(row, done[name], strict=True)),
                2,
            ),
            "process_seconds": round(median(run.seconds for run in done[name]), 2),
            **load_facts([load.between(each.marks[skipped][0], each.end) for each in row]),
        }
    return rows


def _epoch(run: Run, images: int) -> Pass:
    """Return the pass in which a run has learnt.

    Raises:
        RuntimeError: it was of other images than were there.
    """
    (found,) = [each for each in passes(run) if each.text.startswith("epoch")]
    if found.images != images:
        raise RuntimeError(f"{images} images expected, {found.images} learnt from")
    return found


if __name__ == "__main__":
    main()
