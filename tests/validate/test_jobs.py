"""Several processes count what one counts, and a dead one ends the job."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from resnext.distributed.job import join
from resnext.errors import JobError
from tests.support import warm
from tests.support.golden import ROOT
from tests.support.hub_server import Hub
from tests.support.ports import free_port
from validate.cli import main

DIGITS = ROOT / "examples" / "digits"
CHECKPOINT = "resnext_11_8x4d_digits.t7"
WORDS = ["--data", "val", "--claims", "claims.toml", "--json"]


Started = list[tuple[warm.BaseProcess, Path]]
StartJob = Callable[..., Started]


@pytest.fixture
def job(few: Path, tmp_path: Path) -> StartJob:
    """Return a function that starts the processes of a job, as torchrun would, on 48 digits."""
    return partial(start_job, few, tmp_path)


def start_job(
    data_folder: Path, folder: Path, size: int, *words: str | Path, data: tuple[str, ...] = ()
) -> Started:
    port = str(free_port())
    started = []
    for rank in range(size):
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        own = [*WORDS, *words, CHECKPOINT]
        if data:
            own[1] = data[rank]
        output = folder / f"{size}.{rank}.out"
        process = warm.start(
            "validate.cli", own, cwd=data_folder, output=output, environment=environment
        )
        started.append((process, output))
    return started


def test_one_to_four_processes_write_the_same_decisions(job: StartJob, tmp_path: Path) -> None:
    ledgers, results = [], []
    for size in (1, 2, 3, 4):
        ledger = tmp_path / f"{size}.ledger"
        started = job(size, "--ledger", ledger, "--batch-size", "3")
        for process, output in started:
            process.join()
            assert process.exitcode == 0, warm.errors(output)
        ledgers.append(ledger.read_bytes())
        results.append(json.loads(started[0][1].read_text())["results"])
        assert [output.read_text() for _, output in started[1:]] == [""] * (size - 1)
    assert ledgers[1:] == ledgers[:1] * 3
    assert results[1:] == results[:1] * 3
    assert (results[0][0]["top1_correct"], results[0][0]["top5_correct"]) == (46, 48)


def test_more_processes_than_batches_are_idle(job: StartJob) -> None:
    started = job(3, "--batch-size", "30")
    for process, output in started:
        process.join()
        assert process.exitcode == 0, warm.errors(output)
    assert json.loads(started[0][1].read_text())["results"][0]["top1_correct"] == 46


def test_job_goes_on_with_another_number_of_processes(job: StartJob, tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    for process, _ in job(1, "--ledger", ledger):
        process.join()
    whole = ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:21]) + b'{"batch"')
    for process, _ in job(2, "--ledger", ledger):
        process.join()
        assert process.exitcode == 0
    assert ledger.read_bytes() == whole


def test_job_goes_on_with_batches_of_another_size(job: StartJob, tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    for process, _ in job(1, "--ledger", ledger, "--batch-size", "16"):
        process.join()
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:41]))  # two batches of 16 and a part of the next
    started = job(2, "--ledger", ledger, "--batch-size", "7")
    for process, output in started:
        process.join()
        assert process.exitcode == 0, warm.errors(output)
    report = json.loads(started[0][1].read_text())
    assert report["settings"]["images_by_batch_size"] == {"16": 32, "7": 16}
    assert report["results"][0]["top1_correct"] == 46
    again = [json.loads(line) for line in ledger.read_bytes().splitlines()[1:]]
    first = [json.loads(line) for line in lines[1:]]
    for name in ("image", "label", "top5"):
        assert [row[name] for row in again] == [row[name] for row in first]
    assert [row["batch"] for row in again[32:]] == [2 + n // 7 for n in range(16)]


@pytest.mark.parametrize("dead", [0, 1])
def test_dead_process_ends_the_job_with_a_message(job: StartJob, tmp_path: Path, dead: int) -> None:
    ledger = tmp_path / "l"
    started = job(2, "--ledger", ledger, "--batch-size", "1")
    deadline = time.monotonic() + 60
    while not ledger.exists() or ledger.read_bytes().count(b"\n") < 20:
        assert time.monotonic() < deadline
    started[dead][0].kill()
    survivor, output = started[1 - dead]
    survivor.join(timeout=30)
    assert survivor.exitcode == 2
    assert f"rank {1 - dead}: another process of this job has ended" in warm.errors(output)
    assert warm.errors(output).count("\n") == 1


IMPATIENT = """
from datetime import timedelta
from resnext.distributed import collectives
collectives.PATIENCE = timedelta(seconds=4)
from validate.cli import main
main()
"""


def test_process_that_fetches_for_long_is_waited_for(hub: Hub, few: Path, tmp_path: Path) -> None:
    pictures = sorted((few / "val").rglob("*.JPEG"))
    files = {f"val/{each.parent.name}/{each.name}": each.read_bytes() for each in pictures}
    hub.add("me/few", files, kind="dataset")
    hub.gates[[*files][-1]] = gate = threading.Event()
    port, processes = str(free_port()), []
    words = ["--data=hf://datasets/me/few", f"--cache={tmp_path / 'cache'}", "--batch-size=24"]
    for rank in ("0", "1"):
        job = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, **job, **address, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", IMPATIENT, *words, *WORDS[2:], CHECKPOINT]
        processes.append(
            subprocess.Popen(command, cwd=few, env=environment, stdout=subprocess.PIPE, text=True)
        )
    with pytest.raises(subprocess.TimeoutExpired):
        processes[0].wait(11)
    gate.set()
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert json.loads(said[0])["results"][0]["top1_correct"] == 46


def test_processes_with_other_images_are_refused(job: StartJob, tmp_path: Path) -> None:
    for folder in (DIGITS / "val").iterdir():
        (tmp_path / "other" / folder.name).mkdir(parents=True)
        shutil.copy(min(folder.iterdir()), tmp_path / "other" / folder.name)
    started = job(2, data=("val", str(tmp_path / "other")))
    for process, _ in started:
        process.join(timeout=60)
    assert started[0][0].exitcode == 2
    assert "rank 1 has other checkpoints, images, options or versions than rank 0" in warm.errors(
        started[0][1]
    )


@pytest.mark.slow
def test_torchrun_starts_it_and_one_report_comes(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    command = [scripts / "torchrun", "--nproc-per-node", "2", "--no-python"]
    command += [scripts / "resnext-validate", *WORDS, "--output", tmp_path / "out", CHECKPOINT]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=DIGITS, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["results"][0]["top1_correct"] == 345
    assert report["settings"]["processes"] == 2
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["timing"]["timeline"].pop("reports written") > 0
    assert written == report


@pytest.mark.slow
def test_what_all_processes_of_torchrun_find_wrong_is_said_once() -> None:
    command = [Path(sys.executable).parent / "torchrun", "--nproc-per-node", "2", "-m"]
    command += ["validate.cli", "--data", "nowhere", CHECKPOINT]
    done = subprocess.run(command, cwd=DIGITS, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.count("nowhere: no such file or folder") == 1


@pytest.mark.parametrize(("rank", "pauses"), [("0", []), ("1", [2.0])])
def test_wrong_option_is_said_once_the_first_process_could_have_said_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rank: str,
    pauses: list[float],
) -> None:
    slept: list[float] = []
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(SystemExit):
        main(["--nothing"])
    assert (slept, capsys.readouterr().err.count("No such option")) == (pauses, 1)


@pytest.mark.slow
def test_torchrun_ends_when_one_of_its_processes_is_killed(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    ledger = tmp_path / "l"
    command = [scripts / "torchrun", "--nproc-per-node", "2", "--no-python"]
    command += [scripts / "resnext-validate", *WORDS, "--batch-size", "1", "--ledger", ledger]
    with subprocess.Popen(
        [*command, CHECKPOINT], cwd=DIGITS, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < 20:
            assert time.monotonic() < deadline
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        _, text = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Signal 9" in text or "-9" in text


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"WORLD_SIZE": "2"}, "MASTER_PORT of .*, found ''; start it with torchrun"),
        ({"WORLD_SIZE": "2", "MASTER_PORT": "1"}, "MASTER_ADDR of .*, found ''"),
        ({"WORLD_SIZE": "x"}, "WORLD_SIZE of .*, found 'x'"),
    ],
    ids=["no port", "no address", "no number"],
)
def test_environment_of_half_a_job_is_refused(
    environment: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(JobError, match=found), join():
        pass
