"""How a validation shares the processors: between processes of a job, and with those that read."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.pictures import write_pictures
from benchmarks.runs import command_line, in_turn, script, write_result
from benchmarks.validation import speed
from resnext.images.image_set import ImageSet
from resnext.images.names import Names
from resnext.images.sources.folders import class_folders
from resnext.inference.plan import make_plan
from validate.ledger.entries import Collection, Entry, to_entries
from validate.ledger.ledger import Ledger

IMAGES = 192
ROUNDS = 5
PROCESSES = (1, 2, 4)

# (threads of the network, processes that read), in bf16: the quicker the network, the more there is
# to read beside it.
READERS = ((2, 1), (2, 0), (2, 2), (1, 1))

DECISIONS = 10_000


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        images, checkpoint = Path(folder, "val"), Path(folder, "random.safetensors")
        write_pictures(images, IMAGES)
        write_random(checkpoint, RESNEXT_50)
        words = ["--data", str(images), "--no-canary", "--json", str(checkpoint)]
        by_processes = _speeds({str(n): _job(n, words) for n in PROCESSES})
        by_readers = _speeds({f"{t}, {w}": _shared(t, w, words) for t, w in READERS})
        leading = median(_leading(images, Path(folder)) for _ in range(ROUNDS))
    facts = {
        "network": RESNEXT_50.name,
        "images": IMAGES,
        "rounds": ROUNDS,
        "processes": {"precision": "fp32", "rows": by_processes},
        "readers": {"precision": "bf16", "rows": by_readers},
        "leading_microseconds": round(1e6 * leading, 1),
    }
    write_result("scaling", facts, ("numpy", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _job(processes: int, words: Sequence[str]) -> list[str]:
    command = [script("resnext-validate"), *words]
    if processes == 1:
        return command
    launcher = [script("torchrun"), "--nproc-per-node", str(processes), "--no-python"]
    return [*launcher, *command]


def _shared(threads: int, workers: int, words: Sequence[str]) -> list[str]:
    options = ("--precision", "bf16", "--workers", str(workers))
    return ["env", f"OMP_NUM_THREADS={threads}", script("resnext-validate"), *options, *words]


def _speeds(commands: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Return images a second, medians, and the ratio to the first command in the same round."""
    runs = in_turn(commands, rounds=ROUNDS, warm=False)
    speeds = {name: list(map(speed, row)) for name, row in runs.items()}
    first = speeds[next(iter(commands))]
    return {
        name: {
            "images_per_second": round(median(row), 2),
            "times_first": round(median(a / b for a, b in zip(row, first, strict=True)), 2),
        }
        for name, row in speeds.items()
    }


def _leading(folder: Path, place: Path) -> float:
    """Return the seconds that the process that leads spends on a decision of another.

    That is: to read what arrived, to write it to the ledger, and to count it.
    """
    images = _many(folder)
    plan = make_plan(len(images), limit=None, seed=0, batch_size=128)
    draw = np.random.default_rng(0)
    texts = []
    for number in range(plan.batches):
        positions = plan.batch(number).tolist()
        entries = to_entries(
            images,
            batch=number,
            positions=positions,
            tops=[draw.integers(1000, size=(len(positions), 5))],
            confidences=[draw.random(len(positions), np.float32)],
            references=[None],
            forms={},
        )
        texts.append(json.dumps([entry.to_fields() for entry in entries]))
    collected = Collection(images, plan, runs=1, classes=1000)
    path = place / "ledger.jsonl"
    with Ledger.open(path, {}, plan) as ledger:
        begin = time.perf_counter()
        for text in texts:
            entries = [Entry.from_fields(fields) for fields in json.loads(text)]
            ledger.append(entries)
            collected.add(entries)
        seconds = time.perf_counter() - begin
    path.unlink()
    return seconds / len(images)


def _many(folder: Path) -> ImageSet:
    """Return a set of `DECISIONS` images of which only the names are looked at."""
    names = (f"n{n % 1000:08d}/ILSVRC2012_val_{n:08d}.JPEG" for n in range(DECISIONS))
    labels = np.arange(DECISIONS, dtype=np.int64) % 10
    return replace(class_folders(folder), ids=Names(names), labels=labels)


if __name__ == "__main__":
    command_line().parse_args()
    main()
