"""Images at addresses of the Hub: which files are meant, and that a run begins with the first."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from resnext.errors import DataError, ResnextError
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from tests.support.golden import ROOT
from tests.support.hub_server import Fault, Hub
from tests.support.image_forms import CLASSES, digits, write_parquet

T7 = ROOT / "examples/digits/resnext_11_8x4d_digits.t7"
LAST = "data/validation-00002-of-00003.parquet"
TOKEN = "hf_0123456789"  # noqa: S105 - of no one


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the 360 digits in three Parquet files of 2 MB, and three in another split."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [
        {"image": {"bytes": data, "path": name}, "label": label} for name, label, data in expected()
    ]
    found = {"README.md": b"of digits"}
    parts = {
        f"data/validation-{part:05d}-of-00003.parquet": rows[part * 120 : (part + 1) * 120]
        for part in range(3)
    }
    parts["data/train-00000-of-00001.parquet"] = rows[:3]
    for name, part in parts.items():
        found[name] = write_parquet(folder / name, part, names=list(CLASSES)).read_bytes()
    return found


def contents(images: ImageSet) -> list[tuple[str, int, bytes]]:
    labels = images.labels.tolist()
    return [(name, labels[at], images.reader.read(at)) for at, name in enumerate(images.ids)]


def expected() -> list[tuple[str, int, bytes]]:
    """Return the digits with bytes behind their end that no decoder reads."""
    behind = Random(0)  # noqa: S311
    return [(file, label, data + behind.randbytes(16_000)) for _, file, data, label in digits()]


def test_parquet_files_of_the_split_are_found_and_named_by_the_commit(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    commit = hub.add("me/digits", tables, kind="dataset")
    images = open_images("hf://datasets/me/digits", cache=tmp_path)
    assert images.root == f"hf://datasets/me/digits@{commit}"
    assert images.classes == CLASSES
    assert contents(images) == expected()
    assert not [each for each in hub.requests if "train-" in each.path]
    assert len(open_images("hf://datasets/me/digits", cache=tmp_path, split="train")) == 3


@pytest.mark.parametrize(
    "path",
    ["/data", "/data/validation-*.parquet", "/data/validation-0000{0..2}-of-00003.parquet"],
    ids=["folder", "pattern", "braces"],
)
def test_subfolder_or_pattern_names_the_files(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes], path: str
) -> None:
    hub.add("me/digits", tables, kind="dataset", revision="refs/pr/1")
    images = open_images(f"hf://datasets/me/digits@refs/pr/1{path}", cache=tmp_path)
    assert contents(images) == expected()


def test_images_are_read_before_the_last_file_has_come(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    hub.hold_body(LAST)
    images = open_images("hf://datasets/me/digits", cache=tmp_path)
    assert [images.ids[at] for at in (0, 359)] == [expected()[0][0], expected()[-1][0]]
    assert images.reader.read(239) == expected()[239][2]
    assert len(list(tmp_path.rglob("*.parquet"))) < 3
    assert any("3 files of " in note for note in images.notes)
    hub.release(LAST)
    assert images.reader.read(359) == expected()[359][2]


def validate(data: str, folder: Path, *options: str, wait: bool = True) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "validate.cli", f"--data={data}", "--cache=cache", *options]
    command += ["--claims", str(ROOT / "examples/digits/claims.toml"), "--batch-size=16", str(T7)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        process.wait(120)
    return process


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.is_file() else 0


def test_decisions_are_in_the_ledger_before_the_last_file_has_come(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    commit = hub.add("me/digits", tables, kind="dataset")
    hub.hold_body(LAST)
    process = validate(
        "hf://datasets/me/digits", tmp_path, "--ledger=ledger", "--output=out", wait=False
    )
    ledger, end = tmp_path / "ledger", time.monotonic() + 60
    while lines(ledger) < 1 + 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert (lines(ledger) > 200, process.poll()) == (True, None)
    hub.release(LAST)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert lines(ledger) == 1 + 360
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"]["root"] == f"hf://datasets/me/digits@{commit}"


def test_file_that_cannot_come_ends_the_run_with_one_line(
    hub: Hub, tmp_path: Path, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    images = open_images("hf://datasets/me/digits", cache=tmp_path / "other")
    assert images.reader.read(359)  # all have come; the listing is not shared
    hub.plan_body(LAST, Fault(status=404))
    process = validate("hf://datasets/me/digits", tmp_path)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.strip().splitlines()[-1].endswith(f"{LAST}: the Hub answers 404 Not Found")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a/validation-0.parquet", "b/validation-0.parquet"], "files of one set expected, found"),
        (["validation-0.parquet", "validation-0.tar"], "Parquet files or tars, not both, expected"),
        (["train-0.parquet", "test-0.parquet"], "files of the split 'val' expected, found those"),
        (["README.md"], "Parquet files, tars or images expected, found README.md"),
    ],
    ids=["folders", "forms", "splits", "nothing"],
)
def test_files_that_do_not_say_which_are_meant_are_asked_for(
    hub: Hub, tmp_path: Path, files: list[str], said: str
) -> None:
    hub.add("me/set", dict.fromkeys(files, b"x"), kind="dataset")
    with pytest.raises(DataError) as caught:
        open_images("hf://datasets/me/set", cache=tmp_path)
    assert said in str(caught.value)


def test_gated_set_names_its_page_and_no_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, bytes]
) -> None:
    hub.add("me/digits", tables, kind="dataset")
    hub.repos["dataset", "me/digits"].gated = True
    hub.tokens[TOKEN] = set()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(ResnextError) as caught:
        open_images("hf://datasets/me/digits", cache=tmp_path)
    assert "https://huggingface.co/datasets/me/digits" in str(caught.value)
    assert TOKEN not in str(caught.value)
    hub.tokens[TOKEN] = {"me/digits"}
    assert len(open_images("hf://datasets/me/digits", cache=tmp_path)) == 360


def test_address_of_a_model_is_told_what_a_set_is_called(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hf://datasets/me/digits is one of a data set"):
        open_images("hf://me/digits", cache=tmp_path)
    assert hub.requests == []
