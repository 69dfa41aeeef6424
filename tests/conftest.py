"""Fixtures that more than one test file needs: the golden data, unpacked."""

import lzma
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from resnext.data import resample

# The same examples in every run: what one run of the tests finds, the next one finds again.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

# Workers that share the cores with each other take one thread each; must stand before torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Whoever starts the tests in the background has them, and all that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parent / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but theirs: commands take the best device that they find."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


# The golden networks that Torch7 ran.
ANSWERED = (
    "cifar_c",
    "cifar_b",
    "cifar_resnet",
    "cifar_basic_a",
    "cifar_c_shortcut_c",
    "imagenet_c50",
    "imagenet_basic18",
    "imagenet_bn_after_add50",
    "preact_cifar20",
    "flat_storage",
    "double",
    "cuda",
    "cuda_half",
    "cudnn_bn",
    "fbnn",
    "ascii",
    "long32",
    "running_std",
    "weights_2d",
    "conv_bias",
    "data_parallel",
    "in_a_table",
    "classes100",
)


@dataclass(frozen=True)
class Golden:
    """A network that Torch7 wrote; input and output are None where it was never run.

    Attributes:
        path: the unpacked .t7 file.
        input: (N, 3, H, W) float32.
        output: (N, classes) float32, what Torch7 answered.
    """

    path: Path
    input: np.ndarray | None
    output: np.ndarray | None


def unpack(packed: Path, folder: Path) -> Path:
    """Write the content of an .xz file into a folder, under its name without the suffix."""
    path = folder / packed.stem
    if not path.exists():
        with lzma.open(packed) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
    return path


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Golden]:
    """Return a golden network by its name; unpacked when it is first asked for."""
    folder = tmp_path_factory.mktemp("models")

    def get(name: str) -> Golden:
        path = unpack(DATA / "models" / f"{name}.t7.xz", folder)
        answers = DATA / "models" / f"{name}.io.npz"
        if not answers.exists():
            return Golden(path, None, None)
        with np.load(answers) as arrays:
            return Golden(path, arrays["input"], arrays["output"])

    return get


@pytest.fixture(scope="session")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of data/formats, all unpacked."""
    folder = tmp_path_factory.mktemp("formats")
    for path in (DATA / "formats").iterdir():
        if path.suffix == ".xz":
            unpack(path, folder)
        else:
            shutil.copy(path, folder)
    return folder


@pytest.fixture(params=["compiled", "NumPy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with each of the ways to scale a picture."""
    if request.param == "NumPy":
        monkeypatch.setattr(resample, "trusted_kernel", lambda: None)
    elif resample.engine() != "compiled":
        pytest.skip("the installation built no kernel: it found no C compiler")
    return str(request.param)
