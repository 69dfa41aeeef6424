"""What runs the benchmarks for a GPU in turn; other steps stand in for those that need one."""

import json
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.gpu import __main__ as steps
from benchmarks.gpu.__main__ import STEPS, Step
from tests.support.golden import ROOT

WRITES = "import sys, pathlib; pathlib.Path(sys.argv[2], 'written.json').write_text('{}')"


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return what runs steps of Python's own: modules that end well, fail, or do not end."""
    (tmp_path / "writes.py").write_text(WRITES)
    (tmp_path / "fails.py").write_text("raise SystemExit(3)")
    (tmp_path / "sleeps.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    short = {
        "writes": Step(module="writes", minutes=0.01),
        "fails": Step(module="fails", minutes=0.01),
        "long": Step(module="fails", minutes=90),
        "sleeps": Step(module="sleeps", minutes=0.01),
    }

    def run(*names: str, minutes: float = 1) -> Result:
        monkeypatch.setattr(steps, "STEPS", {name: short[name] for name in names})
        monkeypatch.setattr(steps, "BENCHMARKS", {"writes"})
        words = ["--minutes", str(minutes), "--results", str(tmp_path / "results")]
        return CliRunner().invoke(steps.main, [*words, "--commit", "some"])

    return run


def test_step_that_fails_does_not_keep_the_next_from_running(invoke, tmp_path: Path) -> None:
    done = invoke("fails", "writes")
    assert done.exit_code == 1
    assert "failed with 3 after" in done.output
    assert "done in" in done.output
    assert (tmp_path / "results" / "written.json").read_text() == "{}"


def test_step_that_does_not_fit_is_left_out(invoke) -> None:
    done = invoke("long", "writes")
    assert done.exit_code == 0
    assert "left out: 90 minutes expected" in done.output
    assert "done in" in done.output


def test_step_that_does_not_end_is_ended(invoke) -> None:
    done = invoke("sleeps", minutes=0.05)
    assert done.exit_code == 1
    assert "failed: still at it after" in done.output


def test_step_of_tests_has_all_that_want_a_gpu() -> None:
    tests = (ROOT / "tests").rglob("test_*.py")
    marked = [file for file in tests if "@pytest.mark.gpu" in file.read_text()]
    named = {ROOT / word for word in steps.TESTS}
    assert named == set(marked) - {Path(__file__)}


@pytest.mark.parametrize("name", [name for name in STEPS if name != "tests"])
def test_step_is_a_command_that_there_is(name: str, tmp_path: Path) -> None:
    _, _, module, *words = steps._command(STEPS[name], tmp_path, tmp_path, "some")
    context = import_module(module).main.make_context(module, list(words))
    assert context.params["output"] == tmp_path
    assert context.params["commit"] == "some"
    assert context.params.get("folder", tmp_path) == tmp_path


def test_step_writes_its_result(tmp_path: Path) -> None:
    words = steps._command(STEPS["pixels"], tmp_path, None, "some")
    small = ("--device", "cpu", "--rounds", "1", "--batch-size", "1", "--batches", "1")
    subprocess.run([*words, *small, "--calls", "1"], check=True, capture_output=True)
    assert json.loads((tmp_path / "gpu_pixels.json").read_text())["commit"] == "some"
