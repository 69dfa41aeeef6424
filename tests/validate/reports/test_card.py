"""`resnext-validate --card`: what was measured, in the card beside the weights."""

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from resnext.checkpoint import Checkpoint
from resnext.errors import CardError, CheckpointError
from tests.support import warm
from tests.support.sample_report import sample_report
from tests.support.timm_folders import pictures, small_checkpoint, timm_folder
from validate.reports.card import check_card_folder, measured_row, write_card
from validate.verdicts.results import Report


def report_of(folder: Path, *, gone: bool = False) -> Report:
    """Return the sample report as one of the weights in a folder."""
    digest = Checkpoint.load(folder / "model.safetensors").digest()
    report = sample_report(gone=gone)
    results = tuple(
        replace(result, run=replace(result.run, weights_sha256=digest)) for result in report.results
    )
    settings = {**report.settings, "started": "2026-11-28T10:00:00+00:00"}
    return replace(report, results=results, settings=settings)


def checkpoints(*seeds: int) -> dict[str, Checkpoint]:
    return {f"{seed}.safetensors": small_checkpoint(seed) for seed in seeds}


def test_row_holds_counts_protocol_date_versions_and_checksums(tmp_path: Path) -> None:
    report = report_of(timm_folder(tmp_path / "x.timm"))
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(b"decisions")
    row = measured_row(report, report.results[1], ledger)
    assert (row.images, row.of) == (5, 6)
    assert row.correct == {"accuracy": 3, "top_5_accuracy": 5}
    assert row.dataset == {"type": "imagefolder", "name": "val"}
    assert row.protocol == {
        "scale": 256,
        "crop": 224,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "white": 1,
        "pipeline": "pil",
        "interpolation": "bilinear",
        "crops": 1,
        "precision": "fp32",
    }
    assert row.made["date"] == "2026-11-28"
    assert row.made["versions"] == {"python": "3.11.9"}
    assert row.made["images_sha256"] == "cd" * 32
    assert row.made["ledger_sha256"] == hashlib.sha256(b"decisions").hexdigest()
    first = measured_row(report, report.results[0], None)
    assert first.verdicts == [
        "top-1 error 20.0 (a README): reproduced",
        "top-1 error 0.0 (<b>another</b>): not reproduced",
    ]
    assert "ledger_sha256" not in first.made


@pytest.mark.parametrize(
    ("root", "ids", "expected"),
    [
        (
            "/data/val",
            ["n01440764/ILSVRC2012_val_00000293.JPEG", "ILSVRC2012_val_00000001.JPEG"],
            {"type": "imagenet-1k", "name": "ImageNet-1k", "split": "validation"},
        ),
        (
            "hf://datasets/ILSVRC/imagenet-1k@0123abc/data/validation-*",
            ["0", "1"],
            {"type": "ILSVRC/imagenet-1k", "name": "imagenet-1k", "revision": "0123abc"},
        ),
        (
            "https://me:secret@host/sets/val-{00..12}.tar?signature=secret",
            ["0", "1"],
            {"type": "imagefolder", "name": "val-{00..12}.tar"},
        ),
        ("/home/me/flowers/", ["0", "1"], {"type": "imagefolder", "name": "flowers"}),
    ],
    ids=["ImageNet", "Hub", "address", "folder"],
)
def test_images_are_called_as_the_hub_calls_them(
    root: str, ids: Sequence[str], expected: dict[str, str], tmp_path: Path
) -> None:
    report = report_of(timm_folder(tmp_path / "x.timm"))
    images = replace(report.images, root=root, ids=ids, labels=np.zeros(2, np.int64))
    row = measured_row(replace(report, images=images), report.results[0], None)
    assert row.dataset == expected


def test_only_the_rows_of_the_folders_weights_are_written(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "x.timm")
    report = report_of(folder)
    other = replace(report.results[1].run, weights_sha256="ab" * 32)
    results = (report.results[0], replace(report.results[1], run=other))
    said = write_card(replace(report, results=results), folder, None)
    assert said.startswith(f"{folder}/README.md: 1 measurement written into it")
    data = ModelCard.load(folder / "README.md").data
    assert [each.metric_value for each in data.eval_results] == [80.0, 100.0]


def test_images_that_could_not_be_read_leave_the_card_alone(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "x.timm")
    before = (folder / "README.md").read_bytes()
    said = write_card(report_of(folder, gone=True), folder, None)
    assert said.endswith("nothing is written into it, as images could not be read")
    assert (folder / "README.md").read_bytes() == before


def test_weights_replaced_meanwhile_are_refused(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "x.timm")
    report = report_of(folder)
    small_checkpoint(9).save(folder / "model.safetensors")
    with pytest.raises(CardError, match="they have been replaced since"):
        write_card(report, folder, None)


def test_folder_is_of_one_of_the_checkpoints(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "x.timm", seed=2)
    check_card_folder(folder, checkpoints(1, 2, 3))
    with pytest.raises(CardError, match=r"--card .*x\.timm: weights of sha256 \w{12}\.\.\. among"):
        check_card_folder(folder, checkpoints(1, 3))


def test_folder_that_takes_no_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"a folder with a README\.md expected, found nothing"):
        check_card_folder(tmp_path / "none", checkpoints(1))
    (tmp_path / "file").touch()
    with pytest.raises(CardError, match="expected, found a file"):
        check_card_folder(tmp_path / "file", checkpoints(1))
    with pytest.raises(CardError, match=r"a README\.md in it expected, found none"):
        check_card_folder(tmp_path, checkpoints(1))
    (tmp_path / "README.md").write_text("---\na: 1\n---\n")
    with pytest.raises(CardError, match=r"model\.safetensors beside its README\.md expected"):
        check_card_folder(tmp_path, checkpoints(1))
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        check_card_folder(tmp_path, checkpoints(1))


def validate(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return warm.run("validate.cli", [str(word) for word in words], cwd=cwd)


def test_command_measures_the_folder_and_writes_its_card(tmp_path: Path) -> None:
    pictures(tmp_path / "val")
    folder = timm_folder(tmp_path / "x.timm")
    words = ("--data", "val", "--card", "x.timm", "--ledger", "l.jsonl", "--device", "cpu")
    done = validate(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        0,
        "resnext-validate: x.timm/README.md: 1 measurement written into it",
    )
    first, _ = ModelCard.load(folder / "README.md").data.eval_results
    ledger = (tmp_path / "l.jsonl").read_bytes()
    assert first.metric_args["ledger_sha256"] == hashlib.sha256(ledger).hexdigest()
    assert first.metric_args["images"] == 12
    assert first.metric_value == round(100 * first.metric_args["correct"] / 12, 2)

    before = (folder / "README.md").read_text()
    assert validate(*words, cwd=tmp_path).returncode == 0
    assert (folder / "README.md").read_text() == before


def test_command_refuses_a_broken_card_before_the_measurement(tmp_path: Path) -> None:
    pictures(tmp_path / "val")
    folder = timm_folder(tmp_path / "x.timm")
    (folder / "README.md").write_text("---\na: b: c\n---\n")
    words = ("--data", "val", "--card", "x.timm", "--ledger", "l.jsonl")
    done = validate(*words, cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("resnext-validate: x.timm/README.md: line 2: YAML expected")
    assert (folder / "README.md").read_text() == "---\na: b: c\n---\n"
    assert not (tmp_path / "l.jsonl").exists()
