"""Measure on a GPU what is known to matter, the most important first, in the time that there is.

`python -m benchmarks.gpu [STEP ...]` runs the tests that need a GPU, and then the benchmarks, each
in a process of its own. A step that is expected to take longer than what is left is left out.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

BF16 = ("--precision", "bf16")
LARGE = ("--network", "resnext_101_64x4d")
# Those that have tests for a GPU; others may import what such a machine does not have.
TESTS = (
    "tests/resnext/inference/test_cudnn_convolution.py",
    "tests/resnext/inference/test_folding.py",
    "tests/resnext/inference/test_scaling.py",
    "tests/resnext/loader/test_upload.py",
    "tests/train/step/test_learner.py",
    "tests/train/test_job.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to run.

    Attributes:
        module: of Python; what it takes from `FOLDERS` is added.
        words: of its command line.
        minutes: that it is expected to take on an H100 or H200.
    """

    module: str
    words: tuple[str, ...] = ()
    minutes: float


STEPS = {
    "tests": Step(module="pytest", words=("-q", "-m", "gpu", *TESTS), minutes=1),
    "pixels": Step(module="benchmarks.gpu.pixels", minutes=2),
    "network": Step(module="benchmarks.gpu.network", words=BF16, minutes=4),
    "validation": Step(
        module="benchmarks.gpu.validation", words=(*BF16, "--images", "25088"), minutes=7
    ),
    "validation_101": Step(
        module="benchmarks.gpu.validation", words=(*BF16, *LARGE, "--images", "15104"), minutes=8
    ),
    "training": Step(module="benchmarks.gpu.training", minutes=5),
    "network_compiled": Step(
        module="benchmarks.gpu.network", words=(*BF16, "--compiled"), minutes=8
    ),
    "training_both": Step(
        module="benchmarks.gpu.training", words=("--both", "--rounds", "3"), minutes=14
    ),
    "training_compiled": Step(module="benchmarks.gpu.training", words=("--compile",), minutes=8),
    "validation_compiled": Step(
        module="benchmarks.gpu.validation",
        words=(*BF16, "--images", "25088", "--compiled"),
        minutes=8.5,
    ),
}
BENCHMARKS = {step.module for step in STEPS.values()} - {"pytest"}
# Modules that keep their pictures and networks where they are told.
FOLDERS = ("benchmarks.gpu.validation", "benchmarks.gpu.training")


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0), default=60, show_default=True)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all results.  [default: benchmarks/results, for those at full size]",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Keep pictures and networks there.")
@click.option("--commit", help="What was measured, where git does not know it.")
@click.argument("names", nargs=-1, type=click.Choice(tuple(STEPS)), metavar="[STEP]...")
def main(
    minutes: float,
    results: Path | None,
    folder: Path | None,
    commit: str | None,
    names: tuple[str, ...],
) -> None:
    """Run steps, by default all; go on after one that fails, and exit with 1."""
    end = time.monotonic() + 60 * minutes
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, str] = {}
    for name in names or STEPS:
        step = STEPS[name]
        left = end - time.monotonic()
        if step.minutes * 60 > left:
            outcomes[name] = f"left out: {step.minutes:g} minutes expected, {left / 60:.1f} left"
            continue
        print(f"{name}:", flush=True)
        outcomes[name] = _run(_command(step, results, folder, commit), seconds=left)
    for name, outcome in outcomes.items():
        print(f"{name:20} {outcome}")
    sys.exit(any(outcome.startswith("failed") for outcome in outcomes.values()))


def _command(
    step: Step, results: Path | None, folder: Path | None, commit: str | None
) -> list[str]:
    words = [sys.executable, "-m", step.module, *step.words]
    if step.module in BENCHMARKS:
        words += ["--output", str(results)] if results is not None else []
        words += ["--commit", commit] if commit else []
    if folder is not None and step.module in FOLDERS:
        words += ["--folder", str(folder)]
    return words


def _run(command: list[str], *, seconds: float) -> str:
    begin = time.monotonic()
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"failed: still at it after {seconds / 60:.1f} minutes"
    finally:  # with all that it has started, which would compute beside the next step
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    took = f"{(time.monotonic() - begin) / 60:.1f} minutes"
    return f"done in {took}" if code == 0 else f"failed with {code} after {took}"


if __name__ == "__main__":
    main()
