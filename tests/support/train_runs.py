"""What the tests of whole trainings share: tiny pictures, a tiny network, the command."""

import json
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from tests.support import warm
from tests.support.golden import DATA, unpack

STEPS = 6  # of an epoch of `tiny`
CLASSES = ("ant", "bee", "cat")
PREPROCESSING = "crop = 8\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n"


def write_pictures(folder: Path, *, each: int, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write `each` small pictures of every class: noise, brighter in one channel by class."""
    generator = np.random.default_rng(each)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = generator.integers(0, 128, (8, 8, 3), dtype=np.uint8)
            pixels[:, :, label % 3] += 100
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")
    return folder


def write_data(root: Path, *, train: int = 16, val: int = 7) -> Path:
    """Write into a folder `data` with train/ and val/, the preprocessing and a network of Torch7.

    The network has ten classes and an eighth of the published widths: some milliseconds a step.

    Args:
        root: an empty folder.
        train, val: pictures of each class.
    """
    write_pictures(root / "data" / "train", each=train)
    write_pictures(root / "data" / "val", each=val)
    (root / "tiny.toml").write_text(PREPROCESSING)
    unpack(DATA / "sgd" / "before.t7.xz", root)
    return root


def tiny(output: str | Path, *words: str | Path) -> list[str | Path]:
    """Return the arguments of a training of three epochs of six steps, in a folder of its data."""
    return [
        *("--data", "data", "--output", output, "--init", "before.t7"),
        *("--preprocessing", "tiny.toml", "--workers", "0"),
        *("--recipe", "cifar-2017", "--epochs", "3", "--batch-size", "8"),
        *words,
    ]


def run(root: Path, *words: str | Path) -> CompletedProcess[str]:
    """Run the command in a folder to its end; warnings are errors in it."""
    return warm.run("train.cli", words, cwd=root, output=root / "stdout.txt")


def assert_same_tensors(found: Path, expected: Path) -> None:
    """Check that two safetensors files hold the same tensors in every bit."""
    one, other = load_file(found), load_file(expected)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []


def assert_refused(done: CompletedProcess[str], *parts: str | Path) -> None:
    """Check exit code 2 and a last line on stderr, without a traceback, that holds the parts."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("resnext-train: "), done.stderr
    assert [part for part in parts if str(part) not in line] == [], line


def steps_done(state: Path) -> int:
    """Count the steps that a state on disk has behind it; -1 while there is none."""
    try:
        with safe_open(state, framework="numpy") as file:
            progress = json.loads(file.metadata()["progress"])
    except (FileNotFoundError, SafetensorError):
        return -1
    return (progress["epoch"] - 1) * STEPS + progress["step"]


def wait_for(process: BaseProcess, state: Path, steps: int) -> None:
    """Wait until a run has a state of so many steps, or has ended."""
    deadline = time.monotonic() + 60
    while process.is_alive() and steps_done(state) < steps:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def rows(folder: Path) -> list[dict[str, object]]:
    """Return the rows of the epochs of a run, without times."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in found:
        assert row.pop("seconds") > 0
        assert row.pop("images_per_second") > 0
    return found
