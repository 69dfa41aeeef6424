"""Fixtures that more than one test file needs: the golden data, unpacked."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from resnext.machine import cores
from resnext.pixels import resample
from tests.support.digits import write_few
from tests.support.golden import DATA, Golden, unpack
from tests.support.hub_server import Hub, running
from tests.support.s3_server import S3, serving

# The same examples in every run: what one run of the tests finds, the next one finds again.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

# Workers that share the cores with each other take one thread each; must stand before torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The Hub's library reads these when it is imported, not when it is used.
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

# Whoever starts the tests in the background has them, and all that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers `-n auto` starts: one more than cores, as many tests wait."""
    return cores() + 1


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but theirs: commands take the best device that they find."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep tests that run side by side from waiting for each other's threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as the demo's, with 48 pictures of digits; nothing is written into it."""
    return write_few(tmp_path_factory.mktemp("few"))


@pytest.fixture(params=["compiled", "NumPy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with each of the ways to scale a picture."""
    if request.param == "NumPy":
        monkeypatch.setattr(resample, "trusted_kernel", lambda: None)
    elif resample.engine() != "compiled":
        pytest.skip("the installation built no kernel: it found no C compiler")
    return str(request.param)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Start a server that answers as the Hugging Face Hub does; nothing else is ever asked."""
    home = tmp_path_factory.mktemp("hub_home")
    with running(Hub()) as server:
        for name, value in {
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_PROXY": "127.0.0.1,localhost",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Start a store of S3 on loopback, a process of its own, for all tests."""
    with serving(tmp_path_factory.mktemp("s3_home")) as server:
        yield server


@pytest.fixture
def s3(s3_process: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """Let a test, and what it starts, find the store of S3 on loopback, and no other."""
    for name, value in s3_process.environment.items():
        monkeypatch.setenv(name, value)
    return s3_process
