"""A measurement that is killed and started again counts what an uninterrupted one counts."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.digits import FEW

WORDS = ["--data", "val", "--claims", "claims.toml", "--json", "resnext_11_8x4d_digits.t7"]


def counts(output: Path) -> dict[str, int]:
    (result,) = json.loads(output.read_text())["results"]
    return {name: result[name] for name in FEW}


Run = Callable[..., tuple[int | None, Path]]


@pytest.fixture
def run(few: Path, tmp_path: Path) -> Run:
    """Return a function that measures 48 digits, and returns exit code and what was printed."""

    def run(*words: str | Path) -> tuple[int | None, Path]:
        output = tmp_path / "out"
        process = warm.start("validate.cli", [*WORDS, *words], cwd=few, output=output)
        process.join()
        return process.exitcode, output

    return run


def killed_at(process: warm.BaseProcess, ledger: Path, size: int, delay: float) -> bool:
    """Kill a process once the ledger has grown to a size; tell whether it was still running.

    Args:
        delay: seconds to wait then, or the end of an append would be the only place to be cut at.
    """
    deadline = time.monotonic() + 120
    while not ledger.exists() or ledger.stat().st_size < size:
        if process.exitcode is not None:
            return False
        assert time.monotonic() < deadline
    time.sleep(delay)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kills", "workers"),
    [
        pytest.param(8, 0, id="few"),
        pytest.param(50, 0, id="fifty", marks=pytest.mark.slow),
        pytest.param(50, 1, id="fifty, with a worker", marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_it_ends_with_the_counts_of_an_uninterrupted_run(
    run: Run, few: Path, tmp_path: Path, kills: int, workers: int
) -> None:
    code, output = run("--ledger", tmp_path / "whole", "--batch-size", "3")
    assert (code, counts(output)) == (0, FEW)
    whole = (tmp_path / "whole").read_bytes()
    chance = random.Random(workers)  # noqa: S311
    ledger, done = tmp_path / "cut", 0
    words = [*WORDS, "--ledger", ledger, "--batch-size", "3", "--workers", str(workers)]
    while done < kills:
        size = ledger.stat().st_size if ledger.exists() else 0
        process = warm.start("validate.cli", words, cwd=few, output=tmp_path / "cut.out")
        target = size + chance.randrange(1, len(whole) // 10)
        if killed_at(process, ledger, target, delay=chance.uniform(0, 0.02)):
            done += 1
        else:
            assert ledger.read_bytes() == whole, warm.errors(tmp_path / "cut.out")
            ledger.unlink()
    code, output = run(*words[len(WORDS) :])
    assert (code, counts(output)) == (0, FEW)
    assert ledger.read_bytes() == whole


def test_finished_ledger_is_reported_without_measuring_again(run: Run, tmp_path: Path) -> None:
    words = ("--ledger", tmp_path / "l")
    first = run(*words)[1].read_text()
    written = (tmp_path / "l").read_bytes()
    code, output = run(*words)
    assert code == 0
    printed = json.loads(output.read_text())
    assert printed["results"] == json.loads(first)["results"]
    assert printed["notes"][-1] == f"{tmp_path / 'l'}: 48 of 48 images are there already"
    assert (tmp_path / "l").read_bytes() == written
    assert "48 of 48 images are there already" in warm.errors(output)


def test_ledger_that_other_versions_began_is_refused(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    run("--ledger", ledger)
    first, *rest = ledger.read_text().splitlines(keepends=True)
    identity = json.loads(first)
    here = identity["versions"]["torch"]
    identity["versions"]["torch"] = "1.0"
    before = json.dumps(identity) + "\n" + "".join(rest)
    ledger.write_text(before)
    code, output = run("--ledger", ledger)
    assert code == 2
    assert f'versions torch is "1.0" there and "{here}" here' in warm.errors(output)
    assert ledger.read_text() == before


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["--limit", "30"], "settings limit is null there and 30 here"),
        (["--pipeline", "pil"], 'runs 1 pipeline is "torch7" there and "pil" here'),
        (["--limit", "30", "--seed", "1"], "settings limit is null there and 30 here"),
        (["--data", "other"], "data.sha256 is"),
    ],
    ids=["limit", "pipeline", "seed", "data"],
)
def test_other_arguments_make_it_refuse(
    run: Run, few: Path, tmp_path: Path, words: list[str], difference: str
) -> None:
    ledger = tmp_path / "l"
    run("--ledger", ledger)
    before = ledger.read_bytes()
    if words[0] == "--data":
        words = ["--data", str(tmp_path / "val")]
        (tmp_path / "val").mkdir()
        for folder in sorted((few / "val").iterdir()):
            (tmp_path / "val" / folder.name).mkdir()
            picture = min(folder.iterdir())
            (tmp_path / "val" / folder.name / picture.name).write_bytes(picture.read_bytes())
        difference = "data images is 48 there and 10 here"
    code, output = run("--ledger", ledger, *words)
    assert code == 2
    assert f"{ledger}: a ledger of another measurement: {difference}" in warm.errors(output)
    assert ledger.read_bytes() == before


def cut_after(ledger: Path, images: int) -> None:
    """Leave so many images in a ledger, and a piece of the next line."""
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[: images + 1]) + lines[images + 1][:20])


def test_smaller_batch_goes_on_and_every_report_says_both_sizes(run: Run, tmp_path: Path) -> None:
    ledger, folder = tmp_path / "l", tmp_path / "report"
    run("--ledger", ledger, "--batch-size", "16")
    cut_after(ledger, 40)  # two batches and a half
    words = ["--ledger", ledger, "--batch-size", "5", "--output", folder]
    code, output = run(*words)
    assert (code, counts(output)) == (0, FEW)
    said = (
        f"{ledger}: 32 images in batches of 16 and 16 images in batches of 5; another size may "
        "change the last bits of logits"
    )
    assert f"{ledger}: 32 of 48 images are there already\n" in warm.errors(output)
    assert f"{said}\n" in warm.errors(output)
    report = json.loads((folder / "report.json").read_text())
    assert report["notes"][-1] == said
    assert report["settings"]["batch_size"] == 5
    assert report["settings"]["images_by_batch_size"] == {"16": 32, "5": 16}
    for name in ("report.md", "report.html", "junit.xml"):
        text = (folder / name).read_text()
        assert "16 images in batches of 5" in text, name
        assert "16: 32, 5: 16" in text.replace("&#58;", ":"), name
    sizes = [json.loads(line).get("batch_size") for line in ledger.read_text().splitlines()[1:]]
    assert sizes == [None] * 32 + [5] * 16
    code, output = run(*words[:-2])  # nothing is left to measure
    assert (code, counts(output)) == (0, FEW)
    assert said in warm.errors(output)


def test_options_that_change_no_decision_let_it_go_on(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    run("--ledger", ledger)
    cut_after(ledger, 20)
    words = ["--seed", "3", "--limit", "48", "--workers", "0", "--no-canary", "--strict"]
    code, output = run("--ledger", ledger, *words)
    assert (code, counts(output)) == (0, FEW)
    assert "images_by_batch_size" not in json.loads(output.read_text())["settings"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"form": ["CMYK"]}, "found form ['CMYK']"),
        ({"failure": 4}, "found failure 4"),
        ({"fp32": [{}]}, "found fp32 {}"),
    ],
    ids=["form", "failure", "fp32"],
)
def test_line_of_other_types_is_refused_before_anything_is_measured(
    run: Run, few: Path, tmp_path: Path, line: dict[str, object], found: str
) -> None:
    ledger = tmp_path / "l"
    run("--ledger", ledger)
    cut_after(ledger, 32)
    lines = ledger.read_text().splitlines()[:-1]
    lines[3] = json.dumps({**json.loads(lines[3]), **line})
    ledger.write_text("\n".join(lines) + "\n")
    before = ledger.read_bytes()
    code, output = run("--ledger", ledger)
    (text,) = warm.errors(output).splitlines()
    assert (code, output.read_text()) == (2, "")
    assert text.startswith(f"resnext-validate: {ledger}: line 4: an image's decisions expected, ")
    assert found in text
    assert ledger.read_bytes() == before
    done = warm.run("validate.comparison.cli", [ledger, ledger], cwd=few, output=tmp_path / "c")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"resnext-compare: {ledger}: line 4: an image's decisions")


def test_ledger_of_another_machine_goes_on_and_every_report_names_both(
    run: Run, few: Path, tmp_path: Path
) -> None:
    ledger, folder = tmp_path / "l", tmp_path / "report"
    run("--ledger", ledger)
    here = json.loads(ledger.read_text().partition("\n")[0])["made"]
    cut_after(ledger, 40)
    first, rest = ledger.read_text().split("\n", 1)
    head = json.loads(first)
    head["made"]["machine"] |= {"processor": "Another 6502", "cores": 999}
    ledger.write_text(f"{json.dumps(head)}\n{rest}")
    code, output = run("--ledger", ledger, "--output", folder)
    assert (code, counts(output)) == (0, FEW)
    processor, cores = here["machine"]["processor"], here["machine"]["cores"]
    said = (
        f"{ledger}: continued on {here['date']} from image 33 on: processor {processor} in place "
        f"of Another 6502, cores {cores} in place of 999; that may change the last bits of logits"
    )
    assert said in warm.errors(output)
    report = json.loads((folder / "report.json").read_text())
    assert said in report["notes"]
    assert report["versions"]["processor"] == f"Another 6502; {processor}"
    stated = {name: here[name] for name in ("by", "commit", "machine", "date") if name in here}
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [line.get("continued") for line in lines[1:]] == [None] * 32 + [stated] + [None] * 15

    words = ["--claims", "claims.toml", "--json", str(ledger)]
    judged = warm.run("validate.judge_cli", words, cwd=few, output=tmp_path / "judged")
    assert judged.returncode == 0
    found = json.loads(judged.stdout)
    assert said in found["notes"]
    assert found["versions"]["processor"] == f"Another 6502; {processor}"
    assert found["versions"]["cores"] == f"999; {cores}"
