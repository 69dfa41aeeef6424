"""The command `resnext-judge`."""

import gzip
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.golden import ROOT
from tests.support.ledgers import imagenet_lines, write_ledger

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
CLAIMS = DIGITS / "claims.toml"
REPORTS = ("junit.xml", "predictions.csv", "report.html", "report.json", "report.md")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the compressed ledger and the reports of a measurement."""
    folder = tmp_path_factory.mktemp("measured")
    words = ("--data", DIGITS / "val", "--claims", CLAIMS, CHECKPOINT)
    words += ("--ledger", "exact.jsonl.gz", "--output", "report")
    done = warm.run("validate.cli", words, cwd=folder, output=folder / "out")
    assert done.returncode == 0, done.stderr
    return folder


def judge(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return warm.run("validate.judge_cli", words, cwd=folder, output=folder / "judged")


def test_compressed_ledger_of_a_run_is_judged_as_the_run_was(measured: Path) -> None:
    assert not (measured / "exact.jsonl").exists()
    done = judge(measured, "exact.jsonl.gz", "--claims", CLAIMS, "--output", "again")
    assert done.returncode == 0, done.stderr
    assert "345/360" in done.stdout
    assert done.stdout.count("reproduced  Torch7") == 2
    assert sorted(path.name for path in (measured / "again").iterdir()) == sorted(REPORTS)
    one, two = (
        json.loads((measured / folder / "report.json").read_text())
        for folder in ("report", "again")
    )
    same = ("outcome", "summary", "exit_code", "pipelines_compared", "open", "forms", "failures")
    assert {name: two[name] for name in same} == {name: one[name] for name in same}
    for result in (*one["results"], *two["results"]):
        del result["checkpoint"]
    assert two["results"] == one["results"]


def test_predictions_are_judged_as_the_ledger_is(measured: Path) -> None:
    words = ("report/predictions.csv", "--claims", CLAIMS, "--json")
    done = judge(measured, *words)
    (result,) = json.loads(done.stdout)["results"]
    assert (result["top1_correct"], result["top5_correct"]) == (345, 359)
    assert [each["verdict"] for each in result["claims"]] == ["reproduced"] * 2
    assert len(result["weights_sha256"]) == 64  # of the report.json beside it
    shutil.copy(measured / "report" / "predictions.csv", measured / "alone.csv")
    alone = judge(measured, "alone.csv", "--claims", CLAIMS)
    assert alone.returncode == 0
    assert "taken for what the claims are about: weights and preprocessing" in alone.stderr


def test_claim_that_does_not_hold_ends_with_one(measured: Path) -> None:
    text = CLAIMS.read_text().replace('"4.17"', '"3.06"')
    (measured / "other.toml").write_text(text)
    done = judge(measured, "exact.jsonl.gz", "--claims", "other.toml")
    assert done.returncode == 1
    assert "not reproduced" in done.stdout


def test_reports_never_replace_what_is_judged(measured: Path) -> None:
    before = (measured / "report" / "predictions.csv").read_bytes()
    done = judge(measured, "report/predictions.csv", "--output", "report")
    assert done.returncode == 2
    assert "--output writes its own predictions.csv there" in done.stderr
    assert (measured / "report" / "predictions.csv").read_bytes() == before


def test_edited_ledger_is_refused(measured: Path) -> None:
    lines = gzip.decompress((measured / "exact.jsonl.gz").read_bytes()).splitlines(keepends=True)
    (measured / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
    done = judge(measured, "cut.jsonl", "--claims", CLAIMS, "--output", "failed")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("resnext-judge: cut.jsonl: the sha256 ")
    assert json.loads((measured / "failed" / "report.json").read_text())["outcome"] == "no result"


def test_fifty_thousand_lines_are_judged_in_seconds_and_without_torch(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "l", imagenet_lines(11_100))
    code = (
        "import sys; from validate.judge_cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)"
    )
    begin = time.process_time()
    done = subprocess.run(
        [sys.executable, "-c", code, path, "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.process_time() - begin < 20
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Reproduced: the claim holds.\nFalse\n")


def test_ledgers_of_two_sets_are_not_one_report(measured: Path, tmp_path: Path) -> None:
    other = write_ledger(tmp_path / "l", imagenet_lines(2, images=10))
    done = judge(measured, "exact.jsonl.gz", other)
    assert done.returncode == 0
    assert "345/360" in done.stdout
    assert "8/10" in done.stdout
    done = judge(measured, "exact.jsonl.gz", other, "--json")
    assert done.returncode == 2
    assert "--json: ledgers of one set of images expected, found 2 sets" in done.stderr


@pytest.mark.parametrize("words", [(), ("nowhere.jsonl",), (CLAIMS,)], ids=["none", "gone", "toml"])
def test_what_is_no_ledger_is_an_error_of_one_line(
    measured: Path, words: tuple[str | Path, ...]
) -> None:
    done = judge(measured, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
