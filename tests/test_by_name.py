"""A published network by its name: whatever command is given it, it is downloaded once."""

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import convert
from tests.support import warm
from tests.support.by_name import DIGITS, FILE, NAME
from tests.support.ports import free_port
from tests.support.train_runs import tiny, write_data

LINES = [f"{FILE}: downloading, 7854661 bytes", f"{FILE}: complete"]


class Site(ThreadingHTTPServer):
    """Serves the demo's folder on loopback, and counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(DIGITS)))
        self.requests: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        return {"ADDRESS": f"http://127.0.0.1:{self.server_port}", "PYTHONWARNINGS": "error"}


class Handler(SimpleHTTPRequestHandler):
    server: Site

    def log_request(self, *_: object) -> None:
        self.server.requests.append(self.path)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that holds two images of each digit, below `val`."""
    for digit in (DIGITS / "val").iterdir():
        (tmp_path / "val" / digit.name).mkdir(parents=True)
        for path in sorted(digit.iterdir())[:2]:
            shutil.copy(path, tmp_path / "val" / digit.name)
    return tmp_path


def start(
    site: Site, folder: Path, *words: str | Path, output: str = "out", **more: str
) -> tuple[warm.BaseProcess, Path]:
    """Start a command in the folder; downloads go to `cache` in it."""
    process = warm.start(
        "tests.support.by_name",
        [*words, "--cache", "cache"],
        cwd=folder,
        output=folder / output,
        environment={**site.environment, **more},
    )
    return process, folder / output


def run(site: Site, folder: Path, *words: str | Path, **more: str) -> CompletedProcess[str]:
    process, output = start(site, folder, *words, **more)
    process.join()
    assert process.exitcode is not None
    return CompletedProcess(words, process.exitcode, output.read_text(), warm.errors(output))


VALIDATE = ("validate.cli", "--data", "val", "--json", "--workers", "0")


def test_validate_downloads_a_name_once_and_judges_it_by_its_claims(
    site: Site, folder: Path
) -> None:
    for lines in (LINES, []):
        done = run(site, folder, *VALIDATE, NAME)
        (result,) = json.loads(done.stdout)["results"]
        assert (done.returncode, done.stderr.splitlines()) == (0, lines)
        assert (result["checkpoint"], result["network"]) == (NAME, NAME)
        assert [claim["published"] for claim in result["claims"]] == ["4.17", "0.28"]
    assert [path.name for path in (folder / "cache").iterdir()] == [FILE]
    assert site.requests == [f"/{FILE}"]


def test_processes_of_a_job_download_a_name_once(site: Site, folder: Path) -> None:
    job = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    job["MASTER_PORT"] = str(free_port())
    started = [
        start(
            site,
            folder,
            *VALIDATE,
            NAME,
            output=f"{rank}.out",
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            **job,
        )
        for rank in range(2)
    ]
    for process, _ in started:
        process.join()
    errors = [warm.errors(output) for _, output in started]
    assert [process.exitcode for process, _ in started] == [0, 0], errors
    assert json.loads(started[0][1].read_text())["results"][0]["checkpoint"] == NAME
    assert errors[1] == ""
    assert site.requests == [f"/{FILE}"]


@pytest.mark.parametrize("path", [NAME, f"{NAME}/mine.safetensors"], ids=["file", "folder"])
def test_path_of_that_name_wins_over_the_network(site: Site, folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    convert.load(DIGITS / FILE).save(folder / path)
    done = run(site, folder, *VALIDATE, NAME)
    (result,) = json.loads(done.stdout)["results"]
    assert (done.returncode, result["checkpoint"]) == (0, path)
    assert site.requests == []


def test_nothing_is_downloaded_beside_a_name_that_is_wrong(site: Site, folder: Path) -> None:
    done = run(site, folder, *VALIDATE, NAME, "resnext50")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "resnext-validate: resnext50: no such file; published networks are resnext_11_8x4d\n"
    )
    assert site.requests == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), f"{NAME}.safetensors exists; --force overwrites it, --output names another"),
        (("-o", "x.pth"), "x.pth is a name for --to pth, not safetensors"),
        (("-o", "no/x.safetensors"), "no: an existing folder expected for the output"),
        (("--to", "onnx"), "--to onnx needs onnx, which is not installed"),
    ],
    ids=["existing", "suffix", "folder", "extra"],
)
def test_nothing_is_downloaded_for_an_output_that_cannot_be_written(
    site: Site, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / f"{NAME}.safetensors").touch()
    done = run(site, tmp_path, "convert.cli", NAME, *words, MISSING="onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"resnext-convert: {message}")
    assert site.requests == []


def test_training_begins_with_a_name_that_is_downloaded(site: Site, tmp_path: Path) -> None:
    write_data(tmp_path, train=2, val=1)
    done = run(site, tmp_path, "train.cli", *tiny("run", "--epochs", "1"), "--init", NAME)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:2] == LINES
    training = convert.load(tmp_path / "run" / "last.safetensors").training
    assert training is not None
    began: Any = training["began_with"]
    assert (began["file"], began["network"]) == (FILE, NAME)
