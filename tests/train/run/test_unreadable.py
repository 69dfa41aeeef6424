"""Images that cannot be read, met in the middle of a run: its work is kept, and it can go on."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.support import warm
from tests.support.noisy_pictures import write_noisy
from tests.support.ports import free_port
from tests.support.train_runs import assert_refused, assert_same_tensors, run, tiny, write_data

# Everything that has a memory, and a step whose first part may be used before its second is read.
OPTIONS = ("--ema", "0.9", "--mixup", "0.4", "--accumulate", "2", "--no-check")
RESULTS = ("last.safetensors", "last_average.safetensors", "best.safetensors")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("unreadable"))


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    """Return the folder of a run that met no such image."""
    done = run(root, *tiny("whole", *OPTIONS))
    assert done.returncode == 0, done.stderr
    return root / "whole"


def place(folder: Path) -> tuple[int, int]:
    """Return the epoch and the steps of it that are behind a saved run."""
    with safe_open(folder / "state.safetensors", framework="numpy") as file:
        progress = json.loads(file.metadata()["progress"])
    return progress["epoch"], progress["step"]


def listed(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "unreadable.jsonl").read_text().splitlines()
    return [(row["split"], row["image"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("part", "image", "workers"),
    [
        pytest.param("training", "train/ant/003.png", "0", marks=pytest.mark.slow),
        ("training", "train/bee/010.png", "1"),
        pytest.param("validation", "val/cat/001.png", "1", marks=pytest.mark.slow),
    ],
    ids=["training", "training, with a reader", "validation"],
)
def test_run_is_saved_and_goes_on_bit_for_bit_once_the_image_is_back(
    root: Path, whole: Path, part: str, image: str, workers: str
) -> None:
    name = f"{part}{workers}"
    path = shutil.copytree(root / "data", root / f"{name}_data") / image
    good = path.read_bytes()
    path.write_bytes(good[:60])
    words = tiny(name, *OPTIONS, "--data", f"{name}_data", "--workers", workers)
    done = run(root, *words)
    assert_refused(
        done,
        "1 of the images cannot be read, and none is left out silently",
        f"{path.parent.name}/{path.name}",
        f"{name}/unreadable.jsonl lists them all; {name} has the run up to here: put a readable "
        "picture of the same name in the place of each, then --resume goes on",
        "to go on without them, begin anew with --force",
    )
    epoch, step = place(root / name)
    assert epoch == 1
    assert step == 6 if part == "validation" else step < 6
    assert listed(root / name) == [(part, f"{path.parent.name}/{path.name}")]

    # Still damaged: the same words, and nothing is lost.
    again = run(root, *words, "--resume")
    assert again.stderr.splitlines()[-1] == done.stderr.splitlines()[-1]
    assert place(root / name) == (epoch, step)
    path.unlink()
    gone = run(root, *words, "--resume")
    assert_refused(gone, "number of", "or another --output")
    assert "--init" not in gone.stderr  # there is no last.safetensors yet

    path.write_bytes(good)
    done = run(root, *words, "--resume")
    assert done.returncode == 0, done.stderr
    for result in RESULTS:
        assert_same_tensors(root / name / result, whole / result)
    assert not (root / name / "unreadable.jsonl").exists()


def test_check_of_a_run_that_goes_on_names_every_image_first(root: Path, whole: Path) -> None:
    data = shutil.copytree(root / "data", root / "late_data")
    shutil.copytree(whole, root / "late")
    for image in ("train/ant/003.png", "train/bee/010.png", "val/cat/001.png"):
        (data / image).write_bytes(b"no image")
    words = tiny("late", *OPTIONS, "--data", "late_data", "--resume", "--check")
    done = run(root, *words)
    assert_refused(
        done,
        "3 of the images cannot be read",
        "put a readable picture of the same name",
        "to go on without them, --init late/last.safetensors and another --output",
    )
    assert len(listed(root / "late")) == 3
    assert_same_tensors(root / "late" / "last.safetensors", whole / "last.safetensors")


@pytest.mark.parametrize("check", ["--check", "--no-check"])
def test_warnings_of_libraries_are_told_once_in_a_training(
    root: Path, tmp_path: Path, check: str
) -> None:
    data = shutil.copytree(root / "data", tmp_path / "data")
    for part in ("train", "val"):
        write_noisy(data / part / "ant" / "noisy.tif", side=300)
    name = f"noisy{check}"
    done = run(root, *tiny(name, "--data", data, "--workers", "1", check))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("libraries that decode pictures warned of") == 1
    assert done.stderr.count("Fax4Decode: ") == 1
    assert "the first: ant/noisy.tif: Fax4Decode: " in done.stderr


def test_hint_of_weights_to_begin_with_names_a_file_that_is_there(root: Path, whole: Path) -> None:
    shutil.copytree(whole, root / "other")
    words = tiny("other", *OPTIONS, "--seed", "7", "--resume")
    assert "(--init other/last.safetensors begins with these weights)" in run(root, *words).stderr
    (root / "other" / "last.safetensors").unlink()
    done = run(root, *words)
    assert_refused(done, "(--seed)", "or another --output")
    assert "last.safetensors" not in done.stderr


def readers(parent: int) -> Iterator[int]:
    """Yield the processes that a process has started."""
    for task in Path(f"/proc/{parent}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


@pytest.mark.parametrize("processes", [2])
def test_processes_of_a_job_end_together_with_the_run_saved(root: Path, processes: int) -> None:
    path = shutil.copytree(root / "data", root / "job_data") / "train/ant/003.png"
    good = path.read_bytes()
    path.write_bytes(b"no image")
    words = (*OPTIONS, "--data", "job_data")
    finished = job(root, "job", *words, processes=processes)
    assert [code for code, _ in finished] == [2] * processes
    for _, stderr in finished:
        line = stderr.splitlines()[-1]
        assert "ant/003.png" in line
        assert "then --resume goes on" in line
    assert listed(root / "job") == [("training", "ant/003.png")]
    path.write_bytes(good)
    finished = job(root, "job", *words, "--resume", processes=processes)
    assert [code for code, _ in finished] == [0] * processes, finished
    whole_job = job(root, "whole_job", *OPTIONS, processes=processes)
    assert [code for code, _ in whole_job] == [0] * processes, whole_job
    for result in RESULTS:
        assert_same_tensors(root / "job" / result, root / "whole_job" / result)


def job(root: Path, output: str, *words: str, processes: int) -> list[tuple[int | None, str]]:
    """Run the processes of a job to their end; return their exit codes and what they said."""
    shared = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    outputs = [root / f"{output}.{rank}.txt" for rank in range(processes)]
    started = [
        warm.start(
            "train.cli",
            tiny(output, *words),
            cwd=root,
            output=path,
            environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank, path in enumerate(outputs)
    ]
    for process in started:
        process.join()
    return [(each.exitcode, warm.errors(path)) for each, path in zip(started, outputs, strict=True)]


def test_reading_process_that_is_killed_leaves_the_run_saved(root: Path) -> None:
    words = tiny("reader", *OPTIONS, "--epochs", "300", "--workers", "1")
    process = warm.start("train.cli", words, cwd=root, output=root / "reader.txt")
    deadline = time.monotonic() + 60
    assert process.pid is not None
    while not (found := list(readers(process.pid))):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    # Stopped first, so that the run waits for it.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for reader in found:
            os.kill(reader, number)
        time.sleep(1)
    process.join()
    stderr = warm.errors(root / "reader.txt")
    assert process.exitcode == 2, stderr
    assert "a process that reads images was killed" in stderr
    assert (
        "reader has the run up to here, and --resume goes on, with fewer --workers too; with "
        "another --batch-size it would be another run"
    ) in stderr
    assert place(root / "reader") >= (1, 0)
    assert not (root / "reader" / "unreadable.jsonl").exists()
