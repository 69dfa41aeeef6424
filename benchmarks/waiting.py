"""How a training and a validation take a busy machine: threads that spin, and threads that sleep.

Each runs alone and beside one process that is always busy, spinning and sleeping in turn. The load
that other work put on the machine before each round stands in the result.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.gpu.passes import passes
from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.pictures import write_pictures
from benchmarks.runs import Run, command_line, run, write_result
from benchmarks.train import DIGITS, FINETUNE

ROUNDS: Final = 3
IMAGES: Final = 96  # photographs, six batches
# What GNU's library does where nothing is said, said; and what the commands say themselves.
WAYS: Final = {"spinning": ("GOMP_SPINCOUNT=300000",), "sleeping": ()}
UNSAID: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Path(folder))
        rows, loads = _measured(commands)
    facts = {
        "networks": {"train": "resnext_11_8x4d", "validate": RESNEXT_50.name},
        "rounds": ROUNDS,
        "load_of_others": [round(load, 2) for load in loads],
        "rows": rows,
    }
    write_result("waiting", facts, ("numpy", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _commands(folder: Path) -> dict[str, list[str]]:
    """Return the commands, each of which prints its passes over the images."""
    photographs, checkpoint = folder / "photographs", folder / "random.safetensors"
    write_pictures(photographs, IMAGES)
    write_random(checkpoint, RESNEXT_50)
    measured = (sys.executable, "-m", "benchmarks.gpu.passes")
    return {
        "train": [
            *(*measured, "train", *FINETUNE, "--data", str(DIGITS / "val"), "--epochs", "1"),
            *("--no-check", "--output", str(folder / "run"), "--force"),
        ],
        "validate": [
            *(*measured, "validate", "--data", str(photographs), "--no-canary", "--json"),
            str(checkpoint),
        ],
    }


def _measured(
    commands: Mapping[str, Sequence[str]],
) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """Run everything in turn; return medians, and the load before each round."""
    speeds: dict[tuple[str, str, str], list[float]] = {}
    loads = []
    for _ in range(ROUNDS):
        loads.append(os.getloadavg()[0])
        for verb, command in commands.items():
            for company, around in (("alone", nullcontext), ("beside", busy)):
                for way, words in WAYS.items():
                    with around():
                        done = run(["env", *_forgotten(), *words, *command])
                    speeds.setdefault((verb, company, way), []).append(_speed(done))
    rows: dict[str, dict[str, Any]] = {}
    for (verb, company, way), row in speeds.items():
        base = speeds[verb, company, "spinning"]
        rows[f"{verb} {company} {way}"] = {
            "images_per_second": round(median(row), 1),
            "times_spinning": round(median(a / b for a, b in zip(row, base, strict=True)), 2),
        }
    return rows, loads


def _forgotten() -> Iterator[str]:
    """Yield the words by which `env` forgets how threads wait."""
    for name in UNSAID:
        yield from ("-u", name)


@contextmanager
def busy() -> Iterator[None]:
    """Keep one processor busy with another process until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _speed(done: Run) -> float:
    """Return the images a second of all passes of one kind, without the first step of each."""
    found = [each for each in passes(done) if not each.text.startswith("validation")]
    images = sum(count for each in found for _, count in each.marks[2:])
    return images / sum(each.end - each.marks[1][0] for each in found)


if __name__ == "__main__":
    command_line().parse_args()
    main()
