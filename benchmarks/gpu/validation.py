"""resnext-validate against timm's validation on a GPU, from end to end on the same JPEG files."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.gpu.load import Load, load_facts, nvidia_smi, watched
from benchmarks.gpu.machine import FULL, NETWORKS, Common, best_of, command
from benchmarks.gpu.passes import Pass, passes
from benchmarks.gpu.turns import turns
from benchmarks.pictures import write_pictures
from benchmarks.runs import Run, run
from convert.export.timm import timm_architecture

IMAGES = 50_000
FEWEST = 10_000  # of a result that is kept
DIFFERENT = 2_000  # pictures that are drawn; the other names are further names of theirs
BATCH_SIZE = 128
WORKERS = 16
TYPES = {"bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run took.

    Attributes:
        run: the whole process.
        done: its pass over the images.
        load: percent busy and MiB of the GPU over the pass, or None.
    """

    run: Run
    done: Pass
    load: tuple[float, float] | None


@command
@click.option("--network", type=click.Choice(tuple(NETWORKS)), default=FULL[0])
@click.option("--precision", type=click.Choice(["fp32", "tf32", "bf16", "fp16"]), default="bf16")
@click.option("--images", type=click.IntRange(min=1), default=IMAGES, help="Names of JPEG files.")
@click.option("--different", type=click.IntRange(min=1), default=DIFFERENT, help="Pictures.")
@click.option("--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE)
@click.option("--workers", type=click.IntRange(min=0), default=WORKERS)
@click.option("--compiled", is_flag=True, help="Both compiled too, and timm so only.")
@click.option("--timm", "theirs", multiple=True, help="Only these of timm's ways, to save time.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep pictures and network there.")
def main(
    common: Common,
    *,
    network: str,
    precision: str,
    images: int,
    different: int,
    batch_size: int,
    workers: int,
    compiled: bool,
    theirs: tuple[str, ...],
    folder: Path | None,
) -> None:
    """Measure one network in one precision."""
    known = timm_commands(network, precision, ())
    if unknown := [name for name in theirs if name not in known]:
        raise click.UsageError(f"--timm: {' or '.join(known)} expected, found {unknown[0]}")
    if images <= batch_size:
        raise click.UsageError(f"--images: more than a batch of {batch_size} expected")
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as place:
        pictures = write_folder(Path(place), images, different=different, processes=max(workers, 1))
        checkpoint = write_checkpoint(Path(place), network)
        shared = ["--device", common.device, "--batch-size", str(batch_size)]
        shared += ["--workers", str(workers)]
        timms = timm_commands(network, precision, [str(pictures), str(checkpoint), *shared])
        ours = [
            *(sys.executable, "-m", "benchmarks.gpu.passes", "validate"),
            *("--data", str(pictures), "--no-canary", "--json", "--precision", precision),
            *(*shared, str(checkpoint)),
        ]
        commands = {
            **{
                name: [*words, *(["--torchcompile"] * compiled)]
                for name, words in timms.items()
                if name in (theirs or timms)
            },
            "resnext": ours,
            **({"resnext_compiled": [*ours, "--compile"]} if compiled else {}),
        }
        with watched(nvidia_smi(common.device)) as load:
            # Once before: what is compiled stays in a cache, and the files in memory.
            for done in turns(commands, rounds=common.rounds, warm=common.is_cuda):
                measured = {
                    name: [_measured(each, load, images) for each in row]
                    for name, row in done.runs.items()
                }
                facts = {
                    "network": network,
                    "precision": precision,
                    "images": images,
                    "different_pictures": min(different, images),
                    "batch_size": batch_size,
                    "workers": workers,
                    "rounds": done.rounds,
                    "rows": table(measured),
                    "failed": done.failed,
                }
                kind = "gpu_validation_compiled" if compiled else "gpu_validation"
                common.keep(f"{kind}_{network}_{precision}", facts, full=images >= FEWEST)
    if done.failed:
        raise click.ClickException(f"these failed: {', '.join(done.failed)}")


def timm_commands(network: str, precision: str, words: Sequence[str]) -> dict[str, list[str]]:
    """Return timm's validation in a precision, in the two ways of which either may be quicker."""
    name, arguments = timm_architecture(NETWORKS[network])
    words = [
        *(sys.executable, "-m", "benchmarks.timm_validation", *words),
        *("--model", name, "--model-kwargs", json.dumps(arguments)),
    ]
    last = "--channels-last"
    if precision in TYPES:
        return {
            "timm_amp": [*words, last, "--amp", TYPES[precision]],
            "timm_half": [*words, last, "--model-dtype", TYPES[precision]],
        }
    exact = ["--exact"] if precision == "fp32" else []
    return {"timm": [*words, *exact], "timm_channels_last": [*words, *exact, last]}


def table(measured: Mapping[str, Sequence[Measured]]) -> dict[str, dict[str, Any]]:
    """Return medians of each way, and of the ratios to the quicker of timm's in the same round."""
    theirs = [name for name in measured if name.startswith("timm")]
    speeds = {name: [each.done.speed() for each in row] for name, row in measured.items()}
    steady = {name: [each.done.speed(skipped=1) for each in row] for name, row in measured.items()}
    process = {name: [1 / each.run.seconds for each in row] for name, row in measured.items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, row in measured.items():
        rows[name] = {
            "images": row[0].done.images,
            "images_per_second": round(median(speeds[name]), 1),
            "times_timm": _ratio(speeds, name, theirs),
            "steady_images_per_second": round(median(steady[name]), 1),
            "steady_times_timm": _ratio(steady, name, theirs),
            "process_seconds": round(median(each.run.seconds for each in row), 2),
            "process_times_timm": _ratio(process, name, theirs),
            "peak_mb": round(max(each.run.peak_bytes for each in row) / 1e6),
            **load_facts([each.load for each in row]),
        }
    return rows


def _ratio(speeds: Mapping[str, Sequence[float]], name: str, theirs: Sequence[str]) -> float | None:
    """Return the median ratio to the quicker of timm's ways; None where all of them failed."""
    if not theirs:
        return None
    pairs = zip(speeds[name], best_of(theirs, speeds), strict=True)
    return round(median(one / other for one, other in pairs), 2)


def _measured(done: Run, load: Load, images: int) -> Measured:
    (found,) = passes(done)
    if found.images != images:
        raise RuntimeError(f"{images} images expected, {found.images} measured")
    return Measured(run=done, done=found, load=load.between(found.begin, found.end))


def write_folder(place: Path, images: int, *, different: int, processes: int) -> Path:
    """Return the folder of the JPEG files, drawn unless they are there."""
    folder, begun = place / f"val_{images}_{different}", place / "val_begun"
    if not folder.exists():
        shutil.rmtree(begun, ignore_errors=True)
        write_pictures(begun, images, different=different, processes=processes)
        begun.rename(folder)
    return folder


def write_checkpoint(place: Path, network: str) -> Path:
    """Return the network's file, written unless it is there.

    In a process of its own: a child's peak memory counts what its parent held at the fork.
    """
    path = place / f"calibrated_{network}.safetensors"
    if not path.exists():
        spec = json.dumps(NETWORKS[network].to_fields())
        run([sys.executable, "-m", "benchmarks.calibrated", spec, str(path)])
    return path


if __name__ == "__main__":
    main()
