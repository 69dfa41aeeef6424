"""The installed commands find their own packages, whatever lies in the user's folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden import ROOT
from tests.support.ports import free_port

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = DIGITS / "resnext_11_8x4d_digits.t7"
MEASURE = ("--data", DIGITS / "val", "--claims", DIGITS / "claims.toml", CHECKPOINT)
OTHERS = "print('a file of the user'); raise SystemExit(1)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which somebody has files of the names that our packages have."""
    for name in ("resnext", "convert", "validate", "predict", "train"):
        (tmp_path / f"{name}.py").write_text(OTHERS)
    return tmp_path


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, which is on the path of modules too."""
    command, *rest = map(str, words)
    script = Path(sys.executable).with_name(command)
    return subprocess.run(
        [script, *rest],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "resnext-convert",
        "resnext-validate",
        "resnext-compare",
        "resnext-predict",
        "resnext-train",
        "resnext-judge",
    ],
)
def test_command_is_ours_beside_files_of_its_name(folder: Path, command: str) -> None:
    done = run(folder, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {command} [OPTIONS]")


def test_processes_that_read_are_ours_beside_files_of_their_names(few: Path, folder: Path) -> None:
    measure = ("--data", few / "val", "--claims", few / "claims.toml", CHECKPOINT)
    done = run(folder, "resnext-validate", *measure, "--workers", "2", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "46/48" in done.stdout


@pytest.mark.slow
def test_processes_of_torchrun_are_ours_beside_files_of_their_names(folder: Path) -> None:
    launcher = ("--nproc-per-node", 2, "--master-port", free_port(), "--no-python")
    script = Path(sys.executable).with_name("resnext-validate")
    done = run(folder, "torchrun", *launcher, script, *MEASURE, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "345/360" in done.stdout
