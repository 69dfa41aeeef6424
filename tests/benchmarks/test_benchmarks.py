"""The command that runs the benchmarks, and each of them by itself."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import NAMES, main
from tests.support.golden import ROOT

RUN_ALONE = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in ROOT.glob("benchmarks/**/*.py")
    if '__name__ == "__main__"' in path.read_text()
)


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nope", 2)])
def test_names_of_the_benchmarks_are_listed(word: str, code: int) -> None:
    done = CliRunner().invoke(main, [word])
    assert done.exit_code == code
    assert [name for name in NAMES if name not in done.output] == []


def test_skeleton_is_among_those_that_run_alone() -> None:
    assert {"benchmarks.skeleton", "benchmarks.tables", "benchmarks.gpu.network"} <= {*RUN_ALONE}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("name", RUN_ALONE)
def test_help_of_each_describes_it_and_measures_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert out.lower().startswith("usage: ")
    assert len(out.split()) > 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required: NAME, FILE"),
        (("resnet_9", "x.t7"), "argument NAME: invalid choice: 'resnet_9' (choose from"),
        (("resnext_50_32x4d", "none/x.t7"), "none/x.t7: No such file or directory; name another"),
    ],
    ids=["nothing", "name", "folder"],
)
def test_skeleton_refuses_bad_arguments(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.skeleton", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("python -m benchmarks.skeleton: error: ")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []
