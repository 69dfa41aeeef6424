import multiprocessing
import subprocess
import sys

import pytest

from resnext.images.sources.folders import class_folders
from resnext.loader.early_reading import reading_begun
from resnext.machine import ExpectedDevice
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import CIFAR10
from tests.support.digits import DIGITS
from tests.support.golden import ROOT

BATCHES = [[0, 1, 2], [3]]
WAY = Preparation(CIFAR10)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_readers_of_a_device_begin_at_once_and_end_with_the_block(device: str) -> None:
    images = class_folders(DIGITS / "val")
    with reading_begun(images, BATCHES, [WAY], device=ExpectedDevice(device), workers=1) as begun:
        assert begun is not None
        assert len(multiprocessing.active_children()) == 1
        assert begun.reads(BATCHES, [WAY], workers=1, pinned=device == "cuda")
    assert multiprocessing.active_children() == []


def test_without_processes_nothing_begins() -> None:
    images = class_folders(DIGITS / "val")
    with reading_begun(images, BATCHES, [WAY], device=ExpectedDevice("cpu"), workers=0) as begun:
        assert begun is None


def test_nothing_of_it_needs_torch() -> None:
    code = f"""
import sys
from pathlib import Path
from resnext.images.sources.folders import class_folders
from resnext.loader.early_reading import reading_begun
from resnext.machine import expected_device
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import CIFAR10

images, device = class_folders(Path({str(DIGITS / "val")!r})), expected_device("cpu")
with reading_begun(images, [[0], [1]], [Preparation(CIFAR10)], device=device, workers=2) as begun:
    assert "torch" not in sys.modules
    assert [batch.positions.tolist() for batch in begun] == [[0], [1]]
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
