"""What the tests of predictions share: the digits' network, with names, in a file."""

from dataclasses import replace
from pathlib import Path

import pytest

import convert
from resnext.checkpoint import Checkpoint, Origin
from resnext.preprocessing import Preprocessing
from tests.support.digits import DIGITS, NAMES


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """Return the network that Torch7 trained on digits, with its preprocessing and class names."""
    scaled = Preprocessing(scale=36, crop=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    original = convert.load(DIGITS / "resnext_11_8x4d_digits.t7")
    return replace(original, preprocessing=scaled, origin=Origin.GIVEN, classes=NAMES)


@pytest.fixture(scope="session")
def network(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return that network in a file."""
    path = tmp_path_factory.mktemp("network") / "digits.safetensors"
    checkpoint.save(path)
    return path
