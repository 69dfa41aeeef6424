"""resnext-validate against timm's validation, end to end on the same JPEG files."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.calibrated import write_calibrated
from benchmarks.networks import RESNEXT_50
from benchmarks.pictures import write_pictures
from benchmarks.runs import Run, command_line, in_turn, script, write_result

IMAGES = 288
ROUNDS = 5
PARTS = ("reading", "decoding", "preparing", "network", "wall")


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        images, checkpoint = Path(folder, "val"), Path(folder, "calibrated.safetensors")
        write_pictures(images, IMAGES)
        write_calibrated(checkpoint, RESNEXT_50)
        commands = {
            "timm": [
                *(sys.executable, "-m", "benchmarks.timm_validation"),
                *(str(images), str(checkpoint)),
            ],
            **{
                precision: [
                    *(script("resnext-validate"), "--data", str(images), "--no-canary", "--json"),
                    *("--precision", precision, str(checkpoint)),
                ]
                for precision in ("fp32", "bf16")
            },
        }
        runs = in_turn(commands, rounds=ROUNDS, warm=False)
    rows = {name: _row(row, runs["timm"]) for name, row in runs.items()}
    for precision in ("fp32", "bf16"):
        rows[precision]["split"] = _split(runs[precision])
    settings = json.loads(runs["fp32"][0].output)["settings"]
    facts = {
        "network": RESNEXT_50.name,
        "images": IMAGES,
        "batch_size": settings["batch_size"],
        "workers": {"timm": 2, "resnext": settings["workers"]},
        "threads": settings["threads"],
        "rounds": ROUNDS,
        "rows": rows,
    }
    packages = ("numpy", "simplejpeg", "pillow", "torch", "torchvision", "timm", "resnext")
    write_result("validation", facts, packages)
    for name, row in rows.items():
        print(f"{name:16} {row}")


def _row(runs: Sequence[Run], base: Sequence[Run]) -> dict[str, Any]:
    """Return medians, of whole processes and of the pass over the images alone."""
    pairs = list(zip(runs, base, strict=True))
    return {
        "process_seconds": round(median(run.seconds for run in runs), 2),
        "process_times_timm": round(median(b.seconds / r.seconds for r, b in pairs), 2),
        "images_per_second": round(median(map(speed, runs)), 2),
        "times_timm": round(median(speed(r) / speed(b) for r, b in pairs), 2),
    }


def speed(run: Run) -> float:
    """Return the images a second, from asking for the first batch to having decided the last."""
    document = json.loads(run.output)
    if "timing" in document:
        return float(document["timing"]["images_per_second"])
    return float(document["images"] / document["seconds"])


def _split(runs: Sequence[Run]) -> dict[str, float]:
    """Return where the seconds went; reading, decoding and preparing are those of the workers."""
    parts = [json.loads(run.output)["timing"]["seconds"] for run in runs]
    return {name: round(median(part[name] for part in parts), 2) for name in PARTS}


if __name__ == "__main__":
    command_line().parse_args()
    main()
