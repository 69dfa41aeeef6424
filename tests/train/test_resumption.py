"""`--resume DIR` alone: a run goes on with all of its options, and with more epochs."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from resnext.header import TRAINING_STATE_FILE
from tests.support import warm
from tests.support.train_runs import (
    assert_refused,
    assert_same_tensors,
    rows,
    run,
    steps_done,
    tiny,
    wait_for,
    write_data,
)
from train.cli import main
from train.resumption import words_of

CONSTANT = ("--schedule", "constant", "--lr", "0.01", "--save-every", "1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("resumption"))


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    """Return the folder of a run of three epochs that nothing happened to."""
    done = run(root, *tiny("whole", *CONSTANT))
    assert done.returncode == 0, done.stderr
    return root / "whole"


def kill(root: Path, folder: str, steps: int, *words: str | Path) -> None:
    """Start the command, and kill it when the state has so many steps behind it."""
    process = warm.start("train.cli", words, cwd=root, output=root / f"{folder}.killed.txt")
    wait_for(process, root / folder / TRAINING_STATE_FILE, steps)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def assert_as(folder: Path, whole: Path) -> None:
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_tensors(folder / name, whole / name)
    assert rows(folder) == rows(whole)


def test_killed_run_goes_on_alone_from_another_folder_bit_for_bit(
    root: Path, whole: Path, tmp_path: Path
) -> None:
    kill(root, "killed", 4, *tiny("killed", *CONSTANT))
    kill(root, "killed", 9, "--resume", "killed")
    done = run(tmp_path, "--resume", root / "killed", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "goes on in epoch" in done.stderr
    assert_as(root / "killed", whole)
    page = (root / "killed" / "training.html").read_text()
    here = root.resolve()
    assert f"resnext-train --data={here}/data --init={here}/before.t7 --prepro" in page


def test_run_that_was_moved_goes_on_where_it_is(root: Path, whole: Path) -> None:
    kill(root, "first_place", 8, *tiny("first_place", *CONSTANT))
    (root / "first_place").rename(root / "second_place")
    done = run(root, "--resume", "--output", "second_place")
    assert done.returncode == 0, done.stderr
    assert_as(root / "second_place", whole)


def test_finished_run_is_extended_bit_for_bit_after_a_kill_too(root: Path, whole: Path) -> None:
    assert run(root, *tiny("short", *CONSTANT, "--epochs", "1")).returncode == 0
    assert steps_done(root / "short" / TRAINING_STATE_FILE) == 6
    kill(root, "short", 9, "--resume", "short", "--epochs", "3")
    done = run(root, "--resume", "short")
    assert done.returncode == 0, done.stderr
    assert "epoch 3/3" in done.stdout
    assert_as(root / "short", whole)


def test_extension_that_is_killed_at_once_is_not_forgotten(root: Path) -> None:
    assert run(root, *tiny("at_once", *CONSTANT[:4], "--epochs", "1")).returncode == 0
    process = warm.start(
        "train.cli",
        ("--resume", "at_once", "--epochs", "2"),
        cwd=root,
        output=root / "at_once.txt",
    )
    said = root / "at_once.err"
    while not (said.exists() and "a run of 1 epoch, from now on of 2" in said.read_text()):
        assert process.is_alive()
    process.kill()
    process.join()
    done = run(root, "--resume", "at_once")
    assert done.returncode == 0, done.stderr
    assert [row["epoch"] for row in rows(root / "at_once")] == [1, 2]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ("--schedule", "cosine"),
            ("--epochs 3: 1 expected, as the cosine of the learning rate falls over the whole",),
        ),
        (
            (),
            (
                "--epochs 3: 1 expected, as the learning rate falls after parts of the whole run",
                "a step of epoch 1 had the rate 6.25e-05, and would have had 0.00625 in a run of 3",
            ),
        ),
    ],
    ids=["cosine", "parts"],
)
def test_epochs_that_would_have_changed_a_step_are_refused(
    root: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    folder = f"fixed{len(words)}"
    assert run(root, *tiny(folder, "--epochs", "1", *words)).returncode == 0
    before = (root / folder / TRAINING_STATE_FILE).read_bytes()
    done = run(root, "--resume", folder, "--epochs", "3")
    last = f"begin another with its weights (--init {folder}/last.safetensors)"
    assert_refused(done, f"{folder}/{TRAINING_STATE_FILE}", *parts, last)
    assert (root / folder / TRAINING_STATE_FILE).read_bytes() == before
    assert "this run is done" in run(root, "--resume", folder, "--epochs", "1").stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--seed", "1"), "the saved run has seed 0, this command 1 (--seed)"),
        (("--lr", "0.5"), "the saved run has recipe lr 0.01, this command 0.5 (--lr)"),
        (("--data", "data/train"), "(--data or --val-fraction)"),
        (("--val-data", "data/train"), "number of validation images 21, this command 48 (--val"),
        (("--crop", "6"), "the saved run has preprocessing crop 8, this command 6 (--crop)"),
        (("--init", "whole/last.safetensors"), "first weights"),
        (("--recipe", "finetune"), "(--recipe)"),
        (("--epochs", "2"), "--epochs 2: at least 3 expected, as the run has begun so many"),
        (("--force",), "--resume or --force expected, found both"),
        (("--output", "elsewhere"), "--resume whole or --output elsewhere expected, found both"),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, tuple) else "",
)
def test_what_is_given_is_compared_with_the_run(
    root: Path, whole: Path, words: tuple[str, ...], part: str
) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    assert_refused(run(root, "--resume", "whole", *words), part)
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
    assert not (root / "elsewhere").exists()


def test_what_changes_no_result_is_taken(root: Path, whole: Path) -> None:
    assert whole.exists()
    words = ("--workers", "1", "--device", "cpu", "--no-save-memory", "--save-every", "3")
    done = run(root, "--resume", "whole/", *words, "--epochs", "3", "--init", "./before.t7")
    assert done.returncode == 0, done.stderr
    assert "this run is done" in done.stderr
    assert "cpu, fp32, 1 thread, 1 worker" in done.stdout


def change_header(path: Path, **entries: str | None) -> None:
    """Write a state anew with other entries in its header; None leaves one out."""
    with safe_open(path, framework="numpy") as file:
        metadata = {**file.metadata(), **entries}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {name: text for name, text in metadata.items() if text is not None})


def test_state_of_an_earlier_version_needs_the_options_and_takes_them(
    root: Path, whole: Path
) -> None:
    old = shutil.copytree(whole, root / "old")
    change_header(old / TRAINING_STATE_FILE, command_line=None)
    done = run(root, "--resume", "old")
    assert_refused(done, "old/state.safetensors: the options of the run expected, found none")
    done = run(root, *tiny("old", *CONSTANT, "--resume"))
    assert done.returncode == 0, done.stderr
    assert "this run is done" in done.stderr


@pytest.mark.parametrize(
    ("command_line", "part"),
    [
        ('{"words": ["--volume=11"], "folder": ""}', "options of this version expected, found oth"),
        ('{"words": ["--epochs=many"], "folder": ""}', "options of this version expected, found"),
        ('{"words": ["data"], "folder": ""}', "options of this version expected, found others"),
        ('{"words": ["--help"], "folder": ""}', "options of this version expected, found others"),
        ('{"words": ["--force"], "folder": ""}', "--resume or --force expected, found both"),
        ('{"words": [7], "folder": ""}', "a whole state expected, found a damaged one"),
        ('{"words": "--force"}', "a whole state expected, found a damaged one"),
        ("[[[", "a whole state expected, found a damaged one"),
    ],
)
def test_damaged_options_in_a_state_are_refused(
    root: Path, whole: Path, command_line: str, part: str
) -> None:
    folder = root / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    change_header(folder / TRAINING_STATE_FILE, command_line=command_line)
    done = run(root, "--resume", "damaged", "--data", "data", "--init", "before.t7")
    assert_refused(done, part)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--resume", "nowhere"), "nowhere/state.safetensors: the state of a run expected, found"),
        (("--resume", ""), "a path expected, found an empty text"),
        (("--resume",), "--resume: the folder of a run expected behind it, found none"),
        (("--resume", "before.t7"), "'before.t7' is a file"),
        (("--epochs", "3"), "Missing option '--data'"),
    ],
    ids=["no run", "empty", "no folder", "file", "no data"],
)
def test_nothing_to_go_on_with_is_refused(root: Path, words: tuple[str, ...], part: str) -> None:
    assert_refused(run(root, *words), part)
    assert not (root / "nowhere").exists()


def test_words_are_what_was_given_without_passwords_and_folders() -> None:
    typed = [
        "--data=https://me:secret@host/a.tar",
        "--resume",
        "runs/x",
        "--lr",
        "1e-05",
        "--ema=0",
    ]
    with main.make_context("resnext-train", [*typed, "--no-check", "--compile"]) as context:
        words = words_of(main, context.params)
    assert words == (
        *("--data=https://me@host/a.tar", "--no-check", "--lr=1e-05", "--ema=0.0", "--compile"),
    )


def test_state_holds_the_options_and_the_folder(root: Path, whole: Path) -> None:
    with safe_open(whole / TRAINING_STATE_FILE, framework="numpy") as file:
        found = json.loads(file.metadata()["command_line"])
    assert found["folder"] == str(root.resolve())
    assert found["words"][:2] == ["--data=data", "--init=before.t7"]
    assert found["words"][-1] == "--scale=0"
    assert not [word for word in found["words"] if word.startswith("--output")]
