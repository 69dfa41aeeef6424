"""The command `resnext-compare` with more than two ledgers, compressed ones and a page."""

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.golden import ROOT
from tests.support.ledgers import imagenet_lines, ledger_text, write_ledger

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the ledgers of the digits under two pipelines, and predictions."""
    folder = tmp_path_factory.mktemp("ledgers")
    for pipeline in ("torch7", "pil"):
        words = ("--data", DIGITS / "val", "--claims", DIGITS / "claims.toml", CHECKPOINT)
        words += ("--pipeline", pipeline, "--ledger", f"{pipeline}.jsonl.gz", "--output", pipeline)
        done = warm.run("validate.cli", words, cwd=folder, output=folder / "out")
        assert done.returncode == 0, done.stderr
    return folder


def compare(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return warm.run("validate.comparison.cli", words, cwd=folder, output=folder / "compared")


def test_ledger_and_predictions_of_one_run_agree(folder: Path) -> None:
    done = compare(folder, "torch7.jsonl.gz", "torch7/predictions.csv")
    assert done.returncode == 0, done.stderr
    assert "  right in both           345" in done.stdout.splitlines()
    assert "they differ in" not in done.stdout


def test_three_ledgers_are_compared_with_each_other(folder: Path) -> None:
    words = ("torch7.jsonl.gz", "pil.jsonl.gz", "torch7/predictions.csv")
    done = compare(folder, *words, "--json")
    found = json.loads(done.stdout)
    assert [run["right"] for run in found["runs"]] == [345, 345, 345]
    assert (found["images"], found["right_in_all"], found["right_in_some"]) == (360, 344, 2)
    assert (len(found["wrong_in_all"]), len(found["answered_differently"])) == (14, 3)
    assert [each["runs"] for each in found["comparisons"]] == [[1, 2], [1, 3], [2, 3]]
    assert (found["pairs"], found["comparisons"][0]["images"]) == (3, 360)
    lines = compare(folder, *words).stdout.splitlines()
    assert "  1_one/1288.JPEG: label 1, answers 4, 7, 4" in lines


def test_page_shows_the_pictures_that_are_at_hand(folder: Path) -> None:
    words = ("torch7.jsonl.gz", "pil.jsonl.gz", "--html", "page.html")
    done = compare(folder, *words, "--data", DIGITS / "val")
    assert (done.returncode, done.stderr) == (0, "")
    page = (folder / "page.html").read_text()
    assert page.count("<figure>") == 14 + 3
    assert page.count('src="data:image/png') == 14 + 3
    assert "<h1>2 runs over 360 images</h1>" in page
    assert '<span class="mono muted">pil.jsonl.gz</span>' in page  # which wraps on a phone
    assert re.search(r"14 images, 13 of them with the same answer in every run", page)
    assert "8_eight (right)" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert compare(folder, *words).returncode == 0
    assert "<img" not in (folder / "page.html").read_text()


def test_pictures_of_another_set_are_said_to_be_none(folder: Path, tmp_path: Path) -> None:
    for name in ("torch7", "pil"):
        write_ledger(tmp_path / name, imagenet_lines(2, images=5))
    words = (tmp_path / "torch7", tmp_path / "pil", "--html", "page.html")
    done = compare(folder, *words, "--data", DIGITS / "val")
    assert done.returncode == 0
    assert "none of the images that the page shows is there" in done.stderr


def test_validation_pictures_are_matched_by_their_published_names(
    folder: Path, tmp_path: Path
) -> None:
    write_ledger(tmp_path / "a", imagenet_lines(2, images=5))
    lines = imagenet_lines(3, images=5, folder="n01440764/")
    (tmp_path / "b.gz").write_bytes(gzip.compress(ledger_text(lines)))
    done = compare(folder, tmp_path / "a", tmp_path / "b.gz")
    assert "5 images in common" in done.stdout
    assert "  right only in A           1" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--first", "1", "pil.jsonl.gz"), "--first and --second choose runs of two ledgers"),
        (("--data", "val"), "--data needs --html"),
        (("--html", "pil.jsonl.gz"), "--html pil.jsonl.gz: it is one of the ledgers"),
        (("--html", "/dev/null"), "--html /dev/null: the name of a file expected, found something"),
        (("--html", "pil"), "--html pil: the name of a file expected, found something else"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    folder: Path, words: tuple[str, ...], message: str
) -> None:
    done = compare(folder, "torch7.jsonl.gz", "pil.jsonl.gz", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_edited_ledger_is_not_compared(folder: Path, tmp_path: Path) -> None:
    text = gzip.decompress((folder / "pil.jsonl.gz").read_bytes())
    (tmp_path / "l").write_bytes(text.replace(b'"label": 3', b'"label": 2', 1))
    done = compare(folder, tmp_path / "l", "torch7.jsonl.gz")
    assert done.returncode == 2
    assert "was cut short or changed since it was finished" in done.stderr
