"""A file that is cut short while it is mapped: one line, exit code 2, and nothing half written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden import ROOT

COMMAND = """
import mmap, os
from pathlib import Path
import click
from resnext.files import whole_file, whole_folder
from resnext.terminal.command import Command

@click.command("prog", cls=Command)
def main():
    with Path("source").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with {writing} as target:
        os.truncate("source", 0)
        mapped[5000]

main()
"""


@pytest.mark.parametrize(
    "writing",
    ["whole_file(Path('result'))", "whole_folder(Path('result'))"],
    ids=["file", "folder"],
)
def test_mapped_file_that_is_cut_short_ends_with_a_word_and_leaves_nothing(
    tmp_path: Path, writing: str
) -> None:
    (tmp_path / "source").write_bytes(bytes(10_000))
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(writing=writing)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "prog: a file was cut short, or its disk failed, while it was read; see that nothing "
        "writes to it, and start again\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
