"""Every argument that names a file, with a device that has no end or a pipe in its place."""

import os
import threading
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
NETWORK = DIGITS / "resnext_11_8x4d_digits.t7"
DATA = ("--data", DIGITS / "val")
TRAIN = (*DATA, "--output", "run")

# Name -> the command, and its arguments in front of and behind the file.
ARGUMENTS: dict[str, tuple[str, tuple[str | Path, ...], tuple[str | Path, ...]]] = {
    "convert": ("convert.cli", (), ()),
    "convert --info": ("convert.cli", ("--info",), ()),
    "convert --preprocessing": ("convert.cli", (NETWORK, "--preprocessing"), ()),
    "validate": ("validate.cli", DATA, ()),
    "validate --data": ("validate.cli", ("--data",), (NETWORK,)),
    "validate --labels": ("validate.cli", (*DATA, NETWORK, "--labels"), ()),
    "validate --claims": ("validate.cli", (*DATA, NETWORK, "--claims"), ()),
    "validate --ledger": ("validate.cli", (*DATA, NETWORK, "--limit", "2", "--ledger"), ()),
    "validate --output": ("validate.cli", (*DATA, NETWORK, "--limit", "2", "--output"), ()),
    "predict": ("predict.cli", (), ("picture.jpg",)),
    "predict IMAGE": ("predict.cli", (NETWORK,), ()),
    "predict --preprocessing": ("predict.cli", (NETWORK, "x.jpg", "--preprocessing"), ()),
    "compare": ("validate.comparison.cli", (), ("ledger",)),
    "judge": ("validate.judge_cli", (), ()),
    "judge --output": ("validate.judge_cli", ("ledger", "--output"), ()),
    "train --data": ("train.cli", ("--output", "run", "--init", NETWORK, "--data"), ()),
    "train --val-data": ("train.cli", (*TRAIN, "--init", NETWORK, "--val-data"), ()),
    "train --init": ("train.cli", (*TRAIN, "--init"), ()),
    "train --preprocessing": ("train.cli", (*TRAIN, "--init", NETWORK, "--preprocessing"), ()),
    "train --output": ("train.cli", (*DATA, "--init", NETWORK, "--output"), ()),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_device_without_end_is_refused_at_once(tmp_path: Path, name: str) -> None:
    command, before, behind = ARGUMENTS[name]
    (tmp_path / "ledger").write_text("")
    words = (*before, "/dev/zero", *behind)
    done = warm.run(command, words, cwd=tmp_path, output=tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert "/dev/zero" in line
    assert "expected, found " in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "out", "out.err"]


def test_claims_may_come_through_a_pipe(few: Path, tmp_path: Path) -> None:
    """As from `--claims <(sed ... claims.toml)`."""
    os.mkfifo(tmp_path / "claims")
    text = (few / "claims.toml").read_text()
    writer = threading.Thread(target=(tmp_path / "claims").write_text, args=(text,))
    writer.start()
    words = ("--data", few / "val", "--claims", "claims", NETWORK)
    done = warm.run("validate.cli", words, cwd=tmp_path, output=tmp_path / "out")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert "REPRODUCED" in done.stdout.upper()
