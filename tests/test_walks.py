"""The pages that lead through a task: each command runs as it stands and prints what is shown."""

import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import walk
from tests.support.golden import ROOT

PAGES = ["weights-elsewhere", "ci", "fine-tune"]
PEERS = ("timm.create_model", "torchvision.models")  # steps in Python that need `make peers`
# Lets torchvision be imported beside a torch that it was not built for.
DECLARED = "from benchmarks.peers import import_timm\nimport_timm()\n"


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a folder like a fresh clone, in which the commands may write."""
    for path in ROOT.iterdir():
        if path.name in ("benchmarks", "tests"):
            (tmp_path / path.name).symlink_to(path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for converted in (tmp_path / "examples" / "digits").glob("*.safetensors"):
        converted.unlink()
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_page_prints_what_it_shows(page, clone):
    follow(page, clone, peers=False)


@pytest.mark.peers
@pytest.mark.skipif(find_spec("timm") is None, reason="timm and torchvision are not installed")
def test_weights_load_where_the_page_says(clone):
    follow("weights-elsewhere", clone, peers=True)


def follow(page: str, folder: Path, *, peers: bool) -> None:
    """Run the steps of a page in their order and compare what they print."""
    code = 0
    path = ROOT / "docs" / f"{page}.md"
    steps = list(walk.steps(path))
    typed = [line for line in path.read_text().splitlines() if line.startswith("$ ")]
    assert len([step for step in steps if not step.python]) == len(typed) > 2
    for number, step in enumerate(steps):
        if step.python and any(name in step.command for name in PEERS):
            if not peers:
                continue
            step = replace(step, command=DECLARED + step.command)
        code, printed = walk.run(step, folder, code)
        text = "\n".join(printed)
        assert not walk.differs(printed, step.shown, loose=step.loose), (
            f"{step.command}\nprinted\n{text}\nshown\n" + "\n".join(step.shown)
        )
        asked = number + 1 < len(steps) and steps[number + 1].command.startswith("echo $?")
        assert code == 0 or asked, f"{step.command}: exit code {code}\n{text}"
