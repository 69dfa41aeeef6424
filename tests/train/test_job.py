"""Trainings that several processes share: the arithmetic of one, and a job that comes back."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch.distributed import distributed_c10d

from resnext.distributed.job import join
from resnext.download import no_bar
from tests.support import warm
from tests.support.train_runs import (
    assert_refused,
    assert_same_tensors,
    run,
    tiny,
    write_data,
    write_pictures,
)
from train.cli import config_of
from train.cli import main as command
from train.input.task import prepare
from train.request import checked_request

# 81 pictures are ten steps of eight, and one that is left out. Frozen batch norms do not depend on
# how a batch is shared.
TEN_STEPS = ("--epochs", "1", "--freeze", "layer3")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("jobs"), train=27, val=7)


@pytest.fixture(scope="module")
def alone(root: Path) -> Path:
    """Return the folder of a run of one process."""
    done = run(root, *tiny("alone", *TEN_STEPS))
    assert done.returncode == 0, done.stderr
    return root / "alone"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def start(
    root: Path,
    output: str,
    *words: str,
    processes: int,
    module: str = "train.cli",
    only: tuple[str, ...] | None = None,
) -> list[warm.BaseProcess]:
    """Start the processes of a job, in the environment that torchrun gives them.

    Args:
        root: folder of the data.
        output: folder of the run.
        words: of the command line, beside those of `tiny` or of `only`.
        processes: of the job.
        module: whose command it is.
        only: takes the place of the words of `tiny`.
    """
    job = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "PYTHONWARNINGS": "error",
    }
    return [
        warm.start(
            module,
            tiny(output, *words) if only is None else [*only, *words],
            cwd=root,
            output=root / f"{output}.{rank}.txt",
            environment={**job, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(processes)
    ]


def run_job(
    root: Path,
    output: str,
    *words: str,
    processes: int,
    module: str = "train.cli",
    only: tuple[str, ...] | None = None,
) -> Path:
    started = start(root, output, *words, processes=processes, module=module, only=only)
    for process in started:
        process.join()
    errors = [warm.errors(root / f"{output}.{rank}.txt") for rank in range(processes)]
    assert [process.exitcode for process in started] == [0] * processes, errors
    return root / output


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_a_batch_with_the_result_of_one(
    root: Path, alone: Path, processes: int
) -> None:
    folder = run_job(root, f"shared{processes}", *TEN_STEPS, processes=processes)
    found, expected = (load_file(each / "last.safetensors") for each in (folder, alone))
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-5, atol=1e-5, err_msg=name)
    (one,), (other,) = rows(folder), rows(alone)
    assert one["train_images"] == other["train_images"] == 80
    assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)


def test_run_that_another_number_of_processes_goes_on_with_is_told(root: Path, alone: Path) -> None:
    shutil.copytree(alone, root / "moved")
    run_job(root, "moved", *TEN_STEPS, "--resume", processes=2)
    assert warm.errors(root / "moved.0.txt").splitlines()[-2] == (
        "resnext-train: moved/state.safetensors: saved by a job of 1, gone on with by one of 2: "
        "the weights will not be, bit for bit, those that 1 would give"
    )


def test_job_goes_on_with_nothing_but_its_folder(root: Path) -> None:
    words = ("--schedule", "constant", "--freeze", "layer3")
    whole = run_job(root, "three", *words, "--epochs", "3", processes=2)
    first = run_job(root, "in_parts", *words, "--epochs", "1", processes=2)
    alone = ("--resume", "in_parts", "--epochs", "3")
    second = run_job(root, "in_parts", processes=2, only=alone)
    assert first == second
    assert_same_tensors(second / "last.safetensors", whole / "last.safetensors")
    errors = warm.errors(root / "in_parts.0.txt")
    assert "in_parts/state.safetensors: a run of 1 epoch, from now on of 3" in errors
    assert warm.errors(root / "in_parts.1.txt") == ""


def test_batch_norm_over_all_processes_is_refused_on_a_cpu(root: Path) -> None:
    done = run(root, *tiny("synced", "--sync-bn", "--device", "cpu"))
    assert_refused(
        done,
        "--sync-bn: NVIDIA GPUs expected, as PyTorch's synchronised batch norm runs on these only, "
        "found cpu; leave it out",
    )
    assert not (root / "synced").exists()


@pytest.mark.gpu
def test_batch_norm_over_all_processes_says_that_there_is_one(root: Path) -> None:
    done = run(root, *tiny("single", "--epochs", "1", "--sync-bn", "--device", "cuda"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "resnext-train: --sync-bn changes nothing in a single process; torchrun starts several"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--batch-size", "12", "--accumulate", "2", "--clip", "1"),
        ("--class-weights", "balanced", "--label-smoothing", "0.1"),
    ],
    ids=["accumulate", "weights"],
)
def test_options_mean_the_same_in_a_job(root: Path, words: tuple[str, ...]) -> None:
    # 72 images, of which no batch and no number of processes leaves a rest.
    write = (*TEN_STEPS, "--val-data", "data/val", "--data", "even", *words)
    if not (root / "even").exists():
        write_pictures(root / "even", each=24)
    name = words[0].strip("-")
    done = run(root, *tiny(f"{name}1", *write))
    assert done.returncode == 0, done.stderr
    expected = load_file(root / f"{name}1" / "last.safetensors")
    for processes in (2, 3):
        folder = run_job(root, f"{name}{processes}", *write, processes=processes)
        for key, tensor in load_file(folder / "last.safetensors").items():
            np.testing.assert_allclose(tensor, expected[key], rtol=1e-5, atol=1e-5, err_msg=key)


def test_recipe_for_fine_tuning_warns_of_nothing(root: Path) -> None:
    # Its pictures have their channels last, of which PyTorch warned every process.
    words = ("--recipe", "finetune", "--epochs", "1", "--batch-size", "16")
    folder = run_job(root, "tuned", *words, processes=2)
    assert warm.errors(root / "tuned.1.txt") == ""
    assert rows(folder)[0]["val_images"] == 21


def test_validation_of_a_job_counts_every_image_once(root: Path) -> None:
    folder = run_job(root, "counted", "--epochs", "1", "--ema", "0.9", processes=2)
    (row,) = rows(folder)
    assert row["val_images"] == row["ema_val_images"] == 21
    for name, half in (("last", "val"), ("last_average", "ema_val")):
        done = warm.run(
            "validate.cli",
            ["--data", "data/val", "--json", folder / f"{name}.safetensors"],
            cwd=root,
            output=root / "validated.txt",
        )
        (result,) = json.loads(done.stdout)["results"]
        assert result["images"] == row[f"{half}_images"]
        assert result["images"] - result["top1_correct"] == row[f"{half}_wrong"]


def test_process_that_is_killed_ends_the_others_with_a_word(root: Path) -> None:
    first, second = start(root, "broken", "--epochs", "100", processes=2)
    state = root / "broken" / "state.safetensors"
    deadline = time.monotonic() + 60
    while not state.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second.kill()
    first.join()
    second.join()
    stderr = warm.errors(root / "broken.0.txt")
    assert "Traceback" not in stderr
    assert "rank 0: another process of this job has ended" in stderr.splitlines()[-1]
    assert first.exitcode == 2


def terminate_once_saved(started: list[warm.BaseProcess], folder: Path) -> None:
    """Send SIGTERM to all processes of a job as soon as it has a state, and wait for their ends."""
    deadline = time.monotonic() + 60
    while not (folder / "state.safetensors").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for process in started:
        process.terminate()
    for process in started:
        process.join(30)


def test_sigterm_to_all_processes_saves_and_exits_with_0(root: Path) -> None:
    started = start(root, "stopped", "--epochs", "100", "--workers", "1", processes=2)
    terminate_once_saved(started, root / "stopped")
    assert [process.exitcode for process in started] == [0, 0]
    assert warm.errors(root / "stopped.0.txt").endswith("and --resume goes on\n")
    assert warm.errors(root / "stopped.1.txt") == ""


def test_adamw_goes_on_bit_for_bit_in_a_job(root: Path) -> None:
    words = ("--optimizer", "adamw", "--auto-augment", "trivial", "--epochs", "2")
    whole = run_job(root, "adamw", *words, processes=2)
    started = start(root, "adamw_stopped", *words, "--save-every", "1", processes=2)
    terminate_once_saved(started, root / "adamw_stopped")
    run_job(root, "adamw_stopped", *words, "--save-every", "1", "--resume", processes=2)
    assert_same_tensors(root / "adamw_stopped" / "last.safetensors", whole / "last.safetensors")


class Slow(ThreadingHTTPServer):
    """A server that thinks for a second about each file that it is asked for.

    Attributes:
        content: of every file.
        asked: by name, in order.
    """

    content: bytes
    asked: list[str]

    class Handler(BaseHTTPRequestHandler):
        server: "Slow"

        def do_GET(self) -> None:
            self.server.asked.append(self.path)
            time.sleep(1)
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.content)))
            with suppress(ConnectionError):  # whoever asked was killed
                self.end_headers()
                self.wfile.write(self.server.content)

        def log_message(self, *arguments: object) -> None:
            pass


@pytest.fixture
def slow(root: Path) -> Iterator[Slow]:
    """Serve the pictures as a tar."""
    with tarfile.open(root / "pictures.tar", "w") as tar:
        tar.add(root / "data", "data")
    with Slow(("127.0.0.1", 0), Slow.Handler) as server:
        server.content, server.asked = (root / "pictures.tar").read_bytes(), []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def main(words: list[str]) -> None:
    """Prepare a training as one process of a job, whose patience with the others is short."""
    with command.make_context("resnext-train", words) as context:
        config = config_of(**context.params)
    with join() as job:
        distributed_c10d._set_pg_timeout(timedelta(seconds=0.2))
        request = checked_request(config, job, no_bar)
        task = prepare(config, request.recipe, request.images, job=job, bar=no_bar)
    print(len(task.images.train), len(task.images.val))


def test_download_that_takes_longer_than_a_job_waits_is_waited_for(root: Path, slow: Slow) -> None:
    words = ("--data", f"http://127.0.0.1:{slow.server_port}/pictures.tar", "--cache", "cache")
    run_job(root, "fetched", *words, processes=2, module="tests.train.test_job")
    assert [(root / f"fetched.{rank}.txt").read_text() for rank in (0, 1)] == ["81 21\n"] * 2
    assert slow.asked == ["/pictures.tar"]


def test_process_that_is_killed_in_a_download_ends_the_others(root: Path, slow: Slow) -> None:
    words = ("--data", f"http://127.0.0.1:{slow.server_port}/pictures.tar", "--cache", "other")
    first, second = start(root, "unfetched", *words, processes=2)
    deadline = time.monotonic() + 60
    while not slow.asked:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    first.join()
    second.join(30)
    assert second.exitcode == 2
    assert "rank 1: another process of this job has ended" in warm.errors(root / "unfetched.1.txt")


@pytest.mark.slow
def test_torchrun_starts_a_killed_job_again_and_no_bit_differs(root: Path) -> None:
    whole = run_job(root, "whole", "--epochs", "4", processes=2)
    words = tiny("elastic", "--epochs", "4", "--save-every", "1")
    script = Path(sys.executable).with_name("resnext-train")
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    command = [sys.executable, *launcher, "--master-port", str(free_port()), "--no-python", script]
    with subprocess.Popen(
        [*map(str, command), *map(str, words)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        state = root / "elastic" / "state.safetensors"
        deadline = time.monotonic() + 120
        while not state.exists():
            assert launcher.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        workers = [
            int(child)
            for child in children
            if b"resnext-train" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        os.kill(workers[1], signal.SIGKILL)
        _, stderr = launcher.communicate(timeout=180)
    assert launcher.returncode == 0, stderr
    assert "elastic/state.safetensors: goes on in epoch" in stderr
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_tensors(root / "elastic" / name, whole / name)
