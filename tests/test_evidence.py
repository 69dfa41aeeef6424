"""evidence/: every contributed ledger is judged, and the page is the one that is made from them."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence.__main__ as command_line
from evidence.contributions import FOLDER, Contribution, read_contributions, unlisted
from evidence.page import MISSING, PAGE, JudgedLedger, command, judged_ledgers, to_page
from resnext.errors import DataError, ResnextError
from tests.support.ledgers import IMAGENET_RUN, imagenet_lines, ledger_text
from validate.ledger.packing import packed
from validate.verdicts.claims import Verdict

MOST_BYTES = 2_000_000
ROWS = read_contributions()
PIPELINES = {"torch7", "pil", "opencv"}


@pytest.fixture(scope="module")
def ledgers() -> tuple[JudgedLedger, ...]:
    return judged_ledgers()


def test_page_is_the_one_that_is_made_from_the_ledgers(
    ledgers: tuple[JudgedLedger, ...],
) -> None:
    assert (FOLDER / PAGE).read_text() == to_page(ledgers), "run `python -m evidence`"


def test_every_ledger_of_the_folder_is_listed() -> None:
    assert unlisted(ROWS) == ()


@pytest.mark.parametrize("row", ROWS, ids=[row.file for row in ROWS])
def test_ledger_is_small_and_says_who_where_and_from_what(
    row: Contribution, ledgers: tuple[JudgedLedger, ...]
) -> None:
    (each,) = [each for each in ledgers if each.row == row]
    assert (FOLDER / row.file).stat().st_size <= MOST_BYTES
    made, run = each.evidence.stored.made, each.run
    assert run.sha256
    assert run.weights_sha256
    assert {"by", "commit", "date", "machine"} <= made.keys()
    assert "dirty" not in made["commit"]
    assert each.evidence.doubts == ()


def test_claims_of_the_digits_hold_as_far_as_they_are_about_these_pixels(
    ledgers: tuple[JudgedLedger, ...],
) -> None:
    """Torch7 measured 345 and 359 of 360 with its own pixels."""
    digits = [each for each in ledgers if each.run.network == "resnext_11_8x4d_digits"]
    assert {each.run.pipeline for each in digits} == PIPELINES
    for each in digits:
        (result,) = each.report.results
        verdicts = [judgement.verdict for judgement in result.judgements]
        assert verdicts == ([Verdict.REPRODUCED] * 2 if each.run.pipeline == "torch7" else [])
        if (each.run.pipeline, each.run.precision) == ("torch7", "fp32"):
            assert (result.counts.top1_correct, result.counts.top5_correct) == (345, 359)


def test_page_says_first_that_nobody_has_contributed_the_published_weights(
    ledgers: tuple[JudgedLedger, ...], tmp_path: Path
) -> None:
    digits = [each for each in ledgers if not each.is_published]
    assert to_page(digits).splitlines()[0] == MISSING
    path = folder_of(tmp_path, ledger_text(imagenet_lines(11_100)))
    page = to_page(judged_ledgers(path))
    assert page.splitlines()[0] == "# Evidence"
    assert "| 22.2 | 22.20 | 38,900/50,000 | **reproduced** |" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            lambda: ledger_text(imagenet_lines(20, images=100)),
            "**no verdict**: 100 images, 50,000 claimed",
        ),
        (
            lambda: ledger_text([*(lines := imagenet_lines(11_100)), lines[0]]),
            "**no verdict**: 1 picture named twice or more",
        ),
        (
            lambda: ledger_text(
                imagenet_lines(11_100),
                runs=[{**IMAGENET_RUN, "network": "resnext50_32x4d.a1h_in1k"}],
            ),
            "the claims are about resnext50_32x4d_a1h-0146ab0a.pth of a sha256",
        ),
    ],
    ids=["a part", "named twice", "another file"],
)
def test_ledger_with_a_doubt_is_no_evidence_of_the_published_weights(
    tmp_path: Path, text: Callable[[], bytes], shown: str
) -> None:
    page = to_page(judged_ledgers(folder_of(tmp_path, text())))
    assert page.splitlines()[0] == MISSING
    assert shown in page


def folder_of(tmp_path: Path, text: bytes, *, row: str = "") -> Path:
    """Return a folder of evidence with one ledger."""
    (tmp_path / "one.jsonl.gz").write_bytes(packed(text, Path("one.jsonl.gz")))
    rows = f'[[ledger]]\nfile = "one.jsonl.gz"\nby = "a | b"\n{row}'
    (tmp_path / "contributions.toml").write_text(rows)
    return tmp_path


def test_command_repeats_what_is_unusual(tmp_path: Path) -> None:
    run = {**IMAGENET_RUN, "pipeline": "pil", "precision": "bf16", "crops": 10}
    usual = {"preprocessing": IMAGENET_RUN["preprocessing"]}
    made = {"classes": 1000, "checkpoints": [usual]}
    text = ledger_text(imagenet_lines(11_100), runs=[run], made=made)
    (each,) = judged_ledgers(folder_of(tmp_path, text, row='checkpoint = "my net.t7"\n'))
    assert command(each) == (
        "resnext-validate --data imagenet/val --pipeline pil --crops 10 --precision bf16 "
        "--ledger one.jsonl.gz 'my net.t7'"
    )
    assert "a &#124; b" in to_page([each])


def test_page_stays_whole_whatever_a_ledger_calls_its_network(tmp_path: Path) -> None:
    run = {**IMAGENET_RUN, "network": "a`\n# b", "precision": "x|y"}
    page = to_page(judged_ledgers(folder_of(tmp_path, ledger_text(imagenet_lines(9), runs=[run]))))
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        MISSING,
        "## Published and measured",
        "## Measured by",
        "## To repeat it",
    ]
    assert page.splitlines()[-1].startswith("1. ``resnext-validate ")
    assert "| x&#124;y |" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ledger_text(imagenet_lines(1, images=5), sealed=False),
            "a finished ledger with its check",
        ),
        (
            ledger_text(imagenet_lines(1, images=5), made=None),
            "a finished ledger with its checksum",
        ),
        (ledger_text(imagenet_lines(1, images=5)).replace(b"66", b"67", 1), "cut short or changed"),
        (
            ledger_text(imagenet_lines(1, images=5), runs=[{**IMAGENET_RUN, "preprocessing": {}}]),
            "the sha256 of the weights and the preprocessing expected in line 1",
        ),
    ],
    ids=["unfinished", "of an earlier version", "edited", "without preprocessing"],
)
def test_ledger_that_proves_nothing_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(ResnextError, match=message):
        judged_ledgers(folder_of(tmp_path, text))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('[[ledger]]\nfile = "gone.jsonl.gz"\nby = "me"\n', "every file of .* once expected"),
        ('[[ledger]]\nby = "me"\n', "file expected, found none"),
        ('[[ledger]]\nfile = "x"\nby = "me"\nmore = "x"\n', "unknown field 'more'"),
        ('[[ledger]]\nfile = "x"\nby = ""\n', "by must be a text of 1 to 200 letters"),
        ("ledger = 5\n", r"rows \[\[ledger\]\] expected"),
    ],
)
def test_list_with_faults_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "contributions.toml").write_text(rows)
    with pytest.raises(DataError, match=message):
        read_contributions(tmp_path)


def test_new_ledger_is_listed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("read_contributions", "unlisted", "judged_ledgers")
    for name in names:
        plain = getattr(command_line, name)
        monkeypatch.setattr(command_line, name, lambda *given, plain=plain: plain(*given, tmp_path))
    plain_write = command_line.write_contributions
    monkeypatch.setattr(
        command_line, "write_contributions", lambda rows: plain_write(rows, tmp_path)
    )
    monkeypatch.setattr(command_line, "FOLDER", tmp_path)
    shutil.copy(FOLDER / "contributions.toml", tmp_path)
    for row in ROWS:
        shutil.copy(FOLDER / row.file, tmp_path)
    text = ledger_text(imagenet_lines(11_100))
    (tmp_path / "new.jsonl.gz").write_bytes(packed(text, Path("new.jsonl.gz")))
    refused = CliRunner().invoke(command_line.main, [])
    assert refused.exit_code == 2
    assert unlisted(read_contributions(tmp_path), tmp_path) == ("new.jsonl.gz",)
    done = CliRunner().invoke(command_line.main, ["--by", 'Ann "A" Lee'])
    assert done.exit_code == 0, done.output
    assert read_contributions(tmp_path)[-1] == Contribution(file="new.jsonl.gz", by='Ann "A" Lee')
    assert "38,900/50,000" in (tmp_path / PAGE).read_text()
    (tmp_path / "plain.jsonl").write_bytes(text)
    again = CliRunner().invoke(command_line.main, ["--by", "Ann"])
    assert (again.exit_code, len(read_contributions(tmp_path))) == (0, len(ROWS) + 1)
    assert "no new ledger found, whose name ends with .jsonl.gz or .jsonl.zst" in again.stderr


def test_tests_need_no_zstandard_for_the_ledgers_of_the_project() -> None:
    assert all(row.file.endswith(".gz") for row in ROWS) or importlib.util.find_spec("zstandard")
