"""What predictions cost: over a validation of the same pictures, and in memory by their number."""

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.calibrated import write_calibrated
from benchmarks.growth import TINY
from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.pictures import write_pictures, write_tar
from benchmarks.runs import command_line, in_turn, script, write_result
from benchmarks.trees import watch
from resnext.preprocessing import CIFAR10

IMAGES = 96
ROUNDS = 5
SIZES = (1_000, 100_000)
KINDS = (("csv", "npy"), ("parquet", "parquet"), ("jsonl", "safetensors"))


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        speed = _speed(root)
        memory = _memory(root)
    facts = {
        "network": RESNEXT_50.name,
        "images": IMAGES,
        "rounds": ROUNDS,
        "speed": speed,
        "memory": memory,
    }
    write_result("prediction", facts, ("numpy", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _speed(root: Path) -> dict[str, Any]:
    """Return medians of the seconds of whole processes, and of the ratios to a validation."""
    images, checkpoint = root / "val", root / "calibrated.safetensors"
    write_pictures(images, IMAGES)
    write_calibrated(checkpoint, RESNEXT_50)
    predict = [script("resnext-predict"), str(checkpoint), str(images)]
    runs = in_turn(
        {
            "validate": [
                *(script("resnext-validate"), "--data", str(images), "--no-canary", "--json"),
                str(checkpoint),
            ],
            "predict": [*predict, "--output", str(root / "rows.csv")],
            "predict --features": [*predict, "--features", str(root / "f.npy")],
        },
        rounds=ROUNDS,
    )
    return {
        name: {
            "seconds": round(median(run.seconds for run in row), 2),
            "times_validate": round(
                median(r.seconds / b.seconds for r, b in zip(row, runs["validate"], strict=True)), 3
            ),
            "processor_seconds": round(median(run.processor for run in row), 2),
        }
        for name, row in runs.items()
    }


def _memory(root: Path) -> dict[str, dict[str, float]]:
    """Return seconds, and the most memory of all processes, by the number of tiny pictures."""
    tiny = root / "tiny.safetensors"
    write_random(tiny, TINY, CIFAR10)
    found: dict[str, dict[str, float]] = {f"{rows} {features}": {} for rows, features in KINDS}
    for size in SIZES:
        tar = write_tar(
            root / f"{size}.tar",
            (f"{number // 1000:03d}/{number:08d}.jpg" for number in range(size)),
        )
        for rows, features in KINDS:
            command = [
                *(script("resnext-predict"), str(tiny), str(tar), "--batch-size", "64"),
                *("--output", str(root / f"rows.{rows}")),
                *("--features", str(root / f"f.{features}")),
            ]
            done = watch(command, memory=True)
            found[f"{rows} {features}"] |= {
                f"seconds_{size}": round(done.seconds, 1),
                f"peak_mb_{size}": round(done.peak_bytes / 1e6, 1),
            }
        tar.unlink()
    return found


if __name__ == "__main__":
    command_line().parse_args()
    main()
