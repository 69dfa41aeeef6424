"""How the cost of a measurement grows: with images, with processes that read; and how it starts."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.pictures import write_pictures, write_tar
from benchmarks.runs import command_line, run, script, write_result
from benchmarks.trees import Watched, watch
from resnext.preprocessing import CIFAR10
from resnext.spec import Block, Spec, Stem

ROUNDS = 5
SIZES = (1_000, 10_000, 100_000)
WORKERS = (0, 1, 2, 4)
WORKERS_SIZE = 10_000
MEMBERS = 50_000
RECORD = 1 + 3 * 32 * 32  # bytes

# So small that what there is beside the network is seen.
TINY = Spec(
    blocks=(1, 1, 1),
    stem=Stem.CIFAR,
    block=Block.BASIC,
    base_width=4,
    planes=4,
    stem_width=4,
    classes=10,
)

OPEN = """
import sys, time
from resnext.images.sources.opening import open_images
start = time.perf_counter()
images = open_images(sys.argv[1])
print(time.perf_counter() - start, len(images))
"""


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder, "tiny.safetensors")
        write_random(tiny, TINY, CIFAR10)
        images = {size: _records(Path(folder, str(size)), size) for size in SIZES}
        by_images = {str(size): _watched(images[size], tiny) for size in SIZES}
        by_workers = {
            str(workers): _watched(images[WORKERS_SIZE], tiny, "--workers", str(workers))
            for workers in WORKERS
        }
        tar = write_tar(
            Path(folder, "members.tar"),
            (f"val/class_{number % 10}/{number:08d}.JPEG" for number in range(MEMBERS)),
        )
        opened = [run([sys.executable, "-c", OPEN, str(tar)]).output for _ in range(ROUNDS)]
        assert all(int(text.split()[1]) == MEMBERS for text in opened)
        first = {"tar": _first(tar, tiny), **_first_of_resnext(Path(folder))}
    facts = {
        "images": by_images,
        "workers": {"images": WORKERS_SIZE, "rows": by_workers},
        "tar": {
            "members": MEMBERS,
            "open_seconds": round(median(float(text.split()[0]) for text in opened), 2),
        },
        "first_decision_seconds": first,
        "rounds": ROUNDS,
    }
    write_result("growth", facts, ("numpy", "torch", "resnext"))
    for name, value in facts.items():
        print(f"{name:24} {value}")


def _watched(images: Path, checkpoint: Path, *options: str) -> dict[str, Any]:
    """Return medians of the seconds and of the most memory that whole processes take."""
    command = _command(images, checkpoint, "--batch-size", "64", *options)
    # The memory is looked at in rounds of its own, because that costs time.
    timed = [watch(command) for _ in range(ROUNDS)]
    peaks = [watch(command, memory=True).peak_bytes for _ in range(ROUNDS)]
    return {
        "seconds": round(median(each.seconds for each in timed), 2),
        "peak_mb": round(median(peaks) / 1e6, 1),
        "peaks_mb": [round(peak / 1e6, 1) for peak in sorted(peaks)],
    }


def _first_of_resnext(folder: Path) -> dict[str, float]:
    """Return the seconds to the first batch of a ResNeXt-50 on pictures of ImageNet's sizes."""
    images, checkpoint = folder / "val", folder / "random.safetensors"
    write_pictures(images, 40)
    write_random(checkpoint, RESNEXT_50)
    return {
        precision: _first(images, checkpoint, "--precision", precision)
        for precision in ("fp32", "bf16")
    }


def _first(images: Path, checkpoint: Path, *options: str) -> float:
    """Return the seconds from the command to the first decision in its ledger."""
    ledger = checkpoint.with_suffix(".jsonl")
    command = _command(images, checkpoint, "--limit", "32", "--ledger", str(ledger), *options)
    found: list[Watched] = []
    for _ in range(ROUNDS + 1):
        found.append(watch(command, ledger=ledger))
        ledger.unlink()
    return round(median(each.first or each.seconds for each in found[1:]), 2)


def _command(images: Path, checkpoint: Path, *options: str) -> Sequence[str]:
    words = ("--data", str(images), "--no-canary", "--json", *options, str(checkpoint))
    return [script("resnext-validate"), *words]


def _records(folder: Path, count: int) -> Path:
    """Write records as those of CIFAR-10, of random bytes."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    with (folder / "test_batch.bin").open("wb") as file:
        for _ in range(0, count, 1000):
            records = draw.integers(256, size=(1000, RECORD), dtype=np.uint8)
            records[:, 0] %= 10
            file.write(records.tobytes())
    return folder


if __name__ == "__main__":
    command_line().parse_args()
    main()
