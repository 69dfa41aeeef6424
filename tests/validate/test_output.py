"""What a run leaves in the folder of `--output` when it cannot measure, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest

from resnext.errors import DataError
from tests.support import warm
from tests.support.golden import ROOT
from validate.output import Output, clashing

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = "resnext_11_8x4d_digits.t7"
NAMES = ("report.json", "report.md", "junit.xml", "predictions.csv", "report.html")
LEFT = ["junit.xml", "report.json", "report.md"]
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the reports of an earlier run."""
    folder = tmp_path / "report"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text("yesterday")
    return folder


def run(folder: Path, *words: str | Path, cwd: Path = DIGITS, **environment: str) -> Done:
    """Run the command with `--output`, in the folder of the demo or another."""
    output = folder.parent / "out"
    given = ["--output", folder, *words]
    process = warm.start("validate.cli", given, cwd=cwd, output=output, environment=environment)
    process.join()
    assert process.exitcode is not None
    return Done([], process.exitcode, output.read_text(), warm.errors(output))


def assert_reported(done: Done, folder: Path, *parts: str) -> None:
    """Check exit code 2 and that stderr's last line is the reason in each report of the folder."""
    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr.splitlines()[-1].removeprefix("resnext-validate: ")
    said = said.removesuffix("; --help lists what there is")
    assert sorted(path.name for path in folder.iterdir()) == LEFT
    report = json.loads((folder / "report.json").read_text())
    assert (report["outcome"], report["exit_code"], report["results"]) == ("no result", 2, [])
    assert report["error"].rstrip(".") == said
    for part in parts:
        assert part in said
    (error,) = ET.parse(folder / "junit.xml").iter("error")  # noqa: S314 - our own text
    assert str(error.get("message")).rstrip(".") == said
    first = (folder / "report.md").read_text().splitlines()[0]
    assert first.startswith("# ⛔ No result: ")


def shifted(tmp_path: Path) -> list[str | Path]:
    names = sorted(each.name for each in (DIGITS / "val").iterdir())
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        shutil.copytree(DIGITS / "val" / name, tmp_path / "shifted" / other)
    return ["--data", tmp_path / "shifted", "--claims", "claims.toml", CHECKPOINT]


def of_one_class(tmp_path: Path) -> list[str | Path]:
    shutil.copytree(DIGITS / "val" / "3_three", tmp_path / "val" / "eleven")
    return ["--data", tmp_path / "val", CHECKPOINT]


def without_row(tmp_path: Path) -> list[str | Path]:
    text = (DIGITS / "claims.toml").read_text()
    (tmp_path / "c.toml").write_text(text.replace('"resnext_11_8x4d_digits"', '"other"'))
    return ["--data", "val", "--claims", tmp_path / "c.toml", CHECKPOINT]


def damaged(tmp_path: Path) -> list[str | Path]:
    (tmp_path / "n.t7").write_bytes((DIGITS / CHECKPOINT).read_bytes()[:5000])
    return ["--data", "val", tmp_path / "n.t7"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (lambda _: ["--data", "nowhere", CHECKPOINT], "nowhere: no such file or folder"),
        (lambda _: ["--data", "val", "nowhere.t7"], "nowhere.t7"),
        (lambda _: [CHECKPOINT], "Missing option '--data'"),
        (lambda _: ["--data", "val", "--sclae", "3", CHECKPOINT], "No such option '--sclae'"),
        (lambda _: ["--data", "val", "--scale", "x", CHECKPOINT], "'--scale'"),
        (lambda _: ["--data", "val", "--claims", "", CHECKPOINT], "'--claims': a path expected"),
        (lambda _: ["--data", "val", "--compare-precision", "3"], "--compare-precision needs"),
        (lambda _: ["--data", "val", "--preprocessing", "x", CHECKPOINT], "preprocessing x: image"),
        (lambda _: ["--data", "val", "--device", "xpu7", CHECKPOINT], "xpu7"),
        (lambda _: ["--data", "val", "--ledger", "no/l", CHECKPOINT], "the folder no is missing"),
        (shifted, "of the first 208 images"),
        (of_one_class, "eleven"),
        (without_row, "none of its rows applies"),
        (damaged, "n.t7"),
    ],
    ids=[
        *("data", "checkpoint", "no data", "option", "value", "empty", "usage", "preprocessing"),
        *("device", "ledger", "canary", "class", "row", "damaged"),
    ],
)
def test_run_that_cannot_measure_leaves_reports_of_the_reason(
    folder: Path, tmp_path: Path, words: Callable[[Path], list[str | Path]], part: str
) -> None:
    assert_reported(run(folder, *words(tmp_path)), folder, part)


def test_what_was_said_before_stands_in_the_reports(folder: Path, tmp_path: Path) -> None:
    done = run(folder, *shifted(tmp_path), "--ledger", tmp_path / "l", "--preprocessing", "cifar10")
    assert_reported(done, folder, "images, which no published network is")
    (note,) = json.loads((folder / "report.json").read_text())["notes"]
    assert f"resnext-validate: {note}\n" in done.stderr
    assert note.startswith(f"{CHECKPOINT}: measured with crop 32, mean 125.3 123 113.9, std ")
    assert "as --preprocessing says, in place of scale 36, crop 32, mean 0.485 0.456 0.406" in note


def test_output_is_found_behind_an_option_that_is_wrong(folder: Path) -> None:
    words = ["--sclae", "3", "--data", "val", f"--output={folder}", CHECKPOINT]
    output = folder.parent / "out"
    done = warm.run("validate.cli", words, cwd=DIGITS, output=output)
    assert_reported(done, folder, "No such option '--sclae'")


def test_ledger_of_another_measurement_is_kept_and_the_reason_reported(
    folder: Path, few: Path, tmp_path: Path
) -> None:
    words = ["--data", "val", "--claims", "claims.toml", "--ledger", tmp_path / "l", CHECKPOINT]
    assert run(folder, *words, cwd=few).returncode == 0
    before = (tmp_path / "l").read_bytes()
    done = run(folder, *words, "--limit", "30", cwd=few)
    assert_reported(done, folder, "l: a ledger of another")
    assert (tmp_path / "l").read_bytes() == before


def test_run_that_is_ended_leaves_reports_and_goes_on_from_its_ledger(
    folder: Path, few: Path, tmp_path: Path
) -> None:
    ledger, output = tmp_path / "l", tmp_path / "out"
    words = ["--data", "val", "--claims", "claims.toml", "--ledger", ledger, "--batch-size", "1"]
    given = [*words, "--output", folder, CHECKPOINT]
    process = warm.start("validate.cli", given, cwd=few, output=output)
    deadline = time.monotonic() + 120
    while not ledger.exists() or ledger.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join()
    ended = Done([], process.exitcode or 0, output.read_text(), warm.errors(output))
    assert_reported(ended, folder, "ended by SIGTERM")
    done = run(folder, *words, CHECKPOINT, cwd=few)
    assert done.returncode == 0
    assert json.loads((folder / "report.json").read_text())["outcome"] == "reproduced"
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_folder_in_the_place_of_a_report_is_said_before_anything_else(
    folder: Path, name: str
) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    done = run(folder, "--data", "nowhere", CHECKPOINT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"resnext-validate: {folder / name}: this is where a report is to be written, found a "
        "folder; remove it, or name another --output\n"
    )
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    ("option", "name"),
    [("ledger", "report.json"), ("claims", "report.md"), ("labels", "predictions.csv")],
)
@pytest.mark.parametrize("wrong", [[], ["--sclae", "3"]], ids=["right", "with a wrong option"])
def test_file_that_is_read_is_never_replaced_by_a_report(
    folder: Path, option: str, name: str, wrong: list[str]
) -> None:
    words = ["--data", "val", f"--{option}", folder / ".." / folder.name / name, *wrong, CHECKPOINT]
    done = run(folder, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    said = "No such option" if wrong else f"--output writes its own {name} there"
    assert said in done.stderr
    assert {path.read_text() for path in folder.iterdir()} == {"yesterday"}


def test_ledger_that_a_report_would_replace_is_a_clash(tmp_path: Path) -> None:
    taken, packed = tmp_path / "report.json", tmp_path / "report.json.gz"
    for given in ({"ledger": taken}, {"ledger": packed}, {"ledgers": (tmp_path / "l", taken)}):
        said = clashing(tmp_path, given)
        assert said is not None
        assert "--output writes its own report.json there" in said
    assert clashing(tmp_path, {"ledgers": (packed,)}) is None


def test_checkpoint_or_data_in_the_folder_of_reports_is_no_clash(tmp_path: Path) -> None:
    given = {"ledger": tmp_path / "run.jsonl", "claims": None, "labels": Path("report.json")}
    assert clashing(tmp_path, given) is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DataError("no images\nhere"), "no images here"),
        (click.UsageError("give both"), "give both"),
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "out of memory"),
        (OSError(28, "No space left on device", "x"), "x: No space left on device"),
        (KeyError("x"), "an error of resnext-validate itself: KeyError: 'x'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_error_is_reported_and_raised_on(folder: Path, error: BaseException, text: str) -> None:
    with pytest.raises(type(error)), Output(folder=folder).failure_reported():
        raise error
    assert json.loads((folder / "report.json").read_text())["error"] == text


def test_process_that_does_not_lead_writes_nothing(folder: Path) -> None:
    done = run(folder, "--data", "val", "--sclae", "3", CHECKPOINT, RANK="1", WORLD_SIZE="2")
    assert done.returncode == 2
    done = run(folder, "--data", "nowhere", CHECKPOINT, RANK="1", WORLD_SIZE="2")
    assert done.returncode == 2
    assert {path.read_text() for path in folder.iterdir()} == {"yesterday"}


def test_process_without_others_leads_whatever_its_rank(folder: Path) -> None:
    done = run(folder, "--data", "nowhere", CHECKPOINT, RANK="3")
    assert_reported(done, folder, "nowhere: no such file or folder")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--data", "val", "--claims", "claims.toml"], 0),
        (["--data", "val", "--claims", "claims.toml", "--limit", "20", "--strict"], 1),
        (["--data", "nowhere"], 2),
        (["--sclae", "3"], 2),
    ],
    ids=["0", "1", "2", "usage"],
)
def test_exit_code_is_the_last_line_under_torchrun(
    folder: Path, few: Path, words: list[str], code: int
) -> None:
    done = run(
        folder, *words, CHECKPOINT, cwd=few, TORCHELASTIC_RUN_ID="x", RANK="0", WORLD_SIZE="1"
    )
    last = f"resnext-validate: exit code {code}; torchrun turns every other than 0 into 1"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, last)
    other = run(
        folder, *words, CHECKPOINT, cwd=few, TORCHELASTIC_RUN_ID="x", RANK="1", WORLD_SIZE="2"
    )
    assert "exit code" not in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--limit", "40"], 0),
        (["--limit", "40", "--strict"], 1),
        (["--device", "xpu7"], 2),
        (["--sclae", "3"], 2),
    ],
    ids=["0", "1", "2", "usage"],
)
def test_torchrun_leaves_the_exit_code_in_reports_and_on_stderr(
    folder: Path, words: list[str], code: int
) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    command += ["validate.cli", "--data", "val", "--claims", "claims.toml", "--output", folder]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *words, CHECKPOINT],
        cwd=DIGITS,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == min(code, 1)
    ours = [line for line in done.stderr.splitlines() if line.startswith("resnext-validate: ")]
    assert ours[-1] == (
        f"resnext-validate: exit code {code}; torchrun turns every other than 0 into 1"
    )
    assert sum("exit code" in line for line in ours) == 1
    report = json.loads((folder / "report.json").read_text())
    assert report["exit_code"] == code
    assert sorted(path.name for path in folder.iterdir()) == (LEFT if code == 2 else sorted(NAMES))
