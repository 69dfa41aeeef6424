"""What is promised of the digits, by the very commands that the benchmark measures."""

import json
import tarfile
from pathlib import Path

import pytest

from benchmarks.train import FINETUNE, IMAGES
from tests.support import warm
from tests.support.train_runs import run


def rows(folder: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def every_fifteenth(images: Path, path: Path) -> Path:
    """Write a tar of every fifteenth picture of another."""
    with tarfile.open(images) as whole, tarfile.open(path, "w") as part:
        for member in [member for member in whole if member.isfile()][::15]:
            part.addfile(member, whole.extractfile(member))
    return path


def test_digits_are_learnt_from_a_tar_and_validated_from_a_folder(
    few: Path, tmp_path: Path
) -> None:
    # One step on all: the tar is read, the classes found, the original's answers kept.
    images = ("--data", every_fifteenth(Path(IMAGES[1]), tmp_path / "train.tar"))
    words = ("--epochs", "1", "--batch-size", "96", "--accumulate", "6", "--lr", "1e-30")
    words += ("--output", "out", "--warmup", "0", "--freeze", "layer3", "--no-check")
    done = run(tmp_path, *images, "--val-data", few / "val", *FINETUNE, *words)
    assert done.returncode == 0, done.stderr
    assert "96 to train on, 48 to validate with" in done.stdout
    assert "the classifier stays: the checkpoint has 10 classes without names" in done.stderr
    (row,) = rows(tmp_path / "out")
    # As Torch7's logits have it.
    assert (row["val_images"], row["val_wrong"], row["val_top5_wrong"]) == (48, 2, 0)


@pytest.mark.slow
def test_fine_tuned_digits_reach_two_percent(tmp_path: Path) -> None:
    done = run(tmp_path, *IMAGES, *FINETUNE, "--output", "out")
    assert done.returncode == 0, done.stderr
    assert "1,437 to train on, 360 to validate with" in done.stdout
    last = rows(tmp_path / "out")[-1]
    assert last["val_images"] == 360
    assert last["val_wrong"] <= 7  # 2.0 %
    path = tmp_path / "out" / "last.safetensors"
    words = ["--data", IMAGES[3], "--json", path]
    validated = warm.run("validate.cli", words, cwd=tmp_path, output=tmp_path / "validated.txt")
    (result,) = json.loads(validated.stdout)["results"]
    assert result["top1_correct"] == 360 - last["val_wrong"]
