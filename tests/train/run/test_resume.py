"""Runs that are killed, stopped and gone on with: bit for bit what they would have been."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from resnext.distributed.job import Job
from resnext.loader.upload import upload_to
from resnext.terminal.watcher import Watcher
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
from train.cli import config_of, main
from train.request import checked_request
from train.run.stop import Stop, Stopped
from train.training import train

STEPS = 18
# What a run leaves that has to be the same in every bit.
FILES = ("last.safetensors", "last_average.safetensors", "best.safetensors")
# Everything that has a memory: average, momentum, mixing, parts of a step.
OPTIONS = ("--ema", "0.9", "--mixup", "0.4", "--accumulate", "2", "--schedule", "cosine")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    """Return the folder of a run that nothing happened to."""
    done = run(root, *tiny("whole", *OPTIONS))
    assert done.returncode == 0, done.stderr
    return root / "whole"


def start(root: Path, output: str, *words: str) -> BaseProcess:
    words = (*OPTIONS, "--save-every", "1", "--resume", *words)
    return warm.start(
        "train.cli", tiny(output, *words), cwd=root, output=root / f"{output}.stdout.txt"
    )


def assert_as_whole(folder: Path, whole: Path) -> None:
    """Check that a run has left what the whole one has left, but for times."""
    for name in FILES:
        assert_same_tensors(folder / name, whole / name)
    assert rows(folder) == rows(whole)


def killed_at(steps: list[int], delays: Iterator[float], root: Path, output: str) -> int:
    """Kill a run and go on with it, once near each of the steps; count the kills that hit it."""
    kills = 0
    for step in steps:
        process = start(root, output)
        wait_for(process, root / output / "state.safetensors", step)
        time.sleep(next(delays))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    return kills


def test_run_that_is_killed_goes_on_bit_for_bit(root: Path, whole: Path) -> None:
    delays = iter([0.004, 0.02, 0.0])
    assert killed_at([0, 7, 12], delays, root, "killed") == 3
    done = run(root, *tiny("killed", *OPTIONS, "--save-every", "1", "--resume"))
    assert "goes on in epoch" in done.stderr
    assert done.returncode == 0, done.stderr
    assert_as_whole(root / "killed", whole)
    assert [path.name for path in (root / "killed").glob(".*")] == [".lock"]


@pytest.mark.slow
def test_twenty_kills_at_random_steps_change_no_bit(root: Path, whole: Path) -> None:
    generator = random.Random(20)  # noqa: S311
    kills = 0
    for chain in range(5):
        output = f"chain{chain}"
        steps = sorted(generator.sample(range(STEPS), 4))
        delays = (generator.uniform(0, 0.05) for _ in steps)
        kills += killed_at(steps, delays, root, output)
        done = run(root, *tiny(output, *OPTIONS, "--resume"))
        assert done.returncode == 0, done.stderr
        assert_as_whole(root / output, whole)
    assert kills == 20


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "terminal closed"]
)
def test_signal_finishes_the_step_saves_and_exits_with_0(
    root: Path, whole: Path, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started by nohup, which a run heeds")
    output = f"stopped_{number.name}"
    process = start(root, output)
    state = root / output / "state.safetensors"
    wait_for(process, state, 4)
    before = time.monotonic()
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join()
    assert time.monotonic() - before < 30
    assert process.exitcode == 0
    stderr = warm.errors(root / f"{output}.stdout.txt")
    assert stderr.endswith(
        f"resnext-train: stopped; {output} has the run up to here, and --resume goes on\n"
    )
    assert 4 <= steps_done(state) < STEPS
    done = run(root, *tiny(output, *OPTIONS, "--resume"))
    assert done.returncode == 0, done.stderr
    assert_as_whole(root / output, whole)


def test_run_that_ignores_its_terminal_goes_on_without_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup starts it
    stop = Stop(lambda _: None)
    try:
        with stop.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def train_here(
    root: Path, monkeypatch: pytest.MonkeyPatch, output: str, *words: str, stop_at: str, times: int
) -> None:
    """Train in this process, and ask to stop in a batch that is told of, as SIGTERM does.

    Args:
        root: folder of the data.
        monkeypatch: changes to that folder.
        output: folder of the run.
        words: of the command line.
        stop_at: how the text begins that such batches are told of with.
        times: the batch of these in which the wish comes, counted from 1; 0 never.
    """
    stop = Stop(lambda _: None)
    seen: list[str] = []

    @contextmanager
    def progress(text: str, _images: int, _done: int) -> Iterator[Callable[[int, str], None]]:
        def advance(_more: int, _detail: str) -> None:
            seen.extend([text] if text.startswith(stop_at) else [])
            if times and len(seen) == times:
                stop.signal = signal.SIGTERM

        yield advance

    watcher = Watcher(progress=progress)
    monkeypatch.chdir(root)
    torch.set_num_threads(1)
    with main.make_context("resnext-train", list(map(str, tiny(output, *words)))) as context:
        config = config_of(**context.params)
    with pytest.raises(Stopped) if times else nullcontext():
        train(checked_request(config, Job(), watcher.bar), Job(), watcher, stop)


@pytest.mark.parametrize("times", [0, 9])
def test_steps_begun_ahead_as_on_a_gpu_are_the_same(
    root: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Each step is begun before it is looked at the one in front; no state is between the two."""
    monkeypatch.setattr(upload_to(torch.device("cpu")), "ahead", 1)
    output = f"ahead{times}"
    words = (*OPTIONS, "--save-every", "4")
    train_here(root, monkeypatch, output, *words, stop_at="epoch", times=times)
    if times:
        # When the ninth is looked at the tenth is begun; the wish is seen before the eleventh.
        assert steps_done(root / output / "state.safetensors") == 10
        done = run(root, *tiny(output, *words, "--resume"))
        assert done.returncode == 0, done.stderr
    assert_as_whole(root / output, whole)


def test_stop_in_a_validation_saves_the_end_of_the_epoch(
    root: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_here(root, monkeypatch, "middle", *OPTIONS, stop_at="validation of the average", times=1)
    with safe_open(root / "middle" / "state.safetensors", framework="numpy") as file:
        place = json.loads(file.metadata()["progress"])
    assert (place["epoch"], place["step"], place["history"]) == (1, STEPS // 3, [])
    done = run(root, *tiny("middle", *OPTIONS, "--resume"))
    assert done.returncode == 0, done.stderr
    assert_as_whole(root / "middle", whole)


@pytest.mark.parametrize(
    "words",
    [
        ("--recipe", "finetune", "--batch-size", "9", "--freeze", "stem", "--layer-decay", "0.7"),
        (
            *("--optimizer", "adamw", "--lr", "0.01", "--freeze", "stem", "--layer-decay", "0.7"),
            *("--auto-augment", "trivial", "--color-jitter", "brightness=0.4,saturation=0.2"),
        ),
        pytest.param(
            (
                *("--auto-augment", "rand", "--crop-kind", "RandomResizedCrop"),
                *("--crop-scale", "0.3,0.9", "--crop-ratio", "0.8,1.6", "--pca-lighting", "0.1"),
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("--class-weights", "balanced", "--patience", "1", "--lr", "1e-4", "--clip", "0.5"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            (
                "--precision",
                "fp16",
                "--channels-last",
                "--save-memory",
                "--crop-kind",
                "RandomResizedCrop",
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["finetune", "adamw", "rand", "weights", "fp16"],
)
def test_every_option_goes_on_bit_for_bit_with_other_readers(
    root: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = words[1]
    train_here(root, monkeypatch, f"{output}_whole", *words, stop_at="epoch", times=0)
    train_here(root, monkeypatch, output, *words, stop_at="epoch", times=8)
    assert run(root, *tiny(output, *words, "--resume", "--workers", "1")).returncode == 0
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_tensors(root / output / name, root / f"{output}_whole" / name)
    assert rows(root / output) == rows(root / f"{output}_whole")


def in_first_form(identity: dict[str, Any], progress: dict[str, Any]) -> None:
    """Rename the fields of a state as its first form had them."""
    recipe = identity["recipe"]
    recipe["rate"], recipe["rate_batch"] = recipe.pop("lr"), recipe.pop("lr_batch_size")
    for name in ("optimizer", "betas", "eps"):
        del recipe[name]
    changes = recipe["augmentation"]
    recipe["augmentation"] = {
        "crop": "padded",
        "area": 0.08,
        "padding": changes["padding"],
        "jitter": changes["brightness"],
        "lighting": changes["pca_lighting"],
        "flip": changes["flip"],
    }
    for row in progress["history"]:
        row["rate"] = row.pop("lr")


def test_state_of_the_first_form_goes_on_bit_for_bit(
    root: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_here(root, monkeypatch, "older", *OPTIONS, stop_at="epoch", times=10)
    path = root / "older" / "state.safetensors"
    with safe_open(path, framework="numpy") as file:
        facts, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    assert facts["form"] == "resnext-train state 2"
    identity, progress = json.loads(facts["identity"]), json.loads(facts["progress"])
    assert len(progress["history"]) == 1
    in_first_form(identity, progress)
    facts |= {"identity": json.dumps(identity), "progress": json.dumps(progress)}
    save_file(tensors, path, {**facts, "form": "resnext-train state 1"})
    assert_refused(run(root, *tiny("older", *OPTIONS, "--resume", "--lr", "1")), "lr 0.1, this")
    done = run(root, *tiny("older", *OPTIONS, "--resume"))
    assert done.returncode == 0, done.stderr
    assert_as_whole(root / "older", whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_stop_while_images_are_looked_at_leaves_nothing_and_exits_with_2(
    root: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def progress(text: str, _images: int, _done: int) -> Iterator[None]:
        assert text == "looking at every image"
        os.kill(os.getpid(), number)
        yield

    monkeypatch.setattr("resnext.terminal.image_bar.image_bar", progress)
    monkeypatch.chdir(root)
    torch.set_num_threads(1)
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, tiny("early", *OPTIONS))))
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "resnext-train: stopped before the first step; nothing was written"
    )
    assert not (root / "early").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 2)], ids=["SIGTERM", "Ctrl-C"]
)
def test_stop_before_a_run_goes_on_keeps_what_it_had(
    root: Path,
    whole: Path,
    number: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (whole / "state.safetensors").read_bytes()
    # The plan is printed before the run begins.
    monkeypatch.setattr("click.echo", lambda _: os.kill(os.getpid(), number))
    monkeypatch.chdir(root)
    torch.set_num_threads(1)
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, tiny("whole", *OPTIONS, "--resume"))))
    assert caught.value.code == code
    assert capsys.readouterr().err.splitlines()[-1] == (
        "resnext-train: stopped; whole has the run up to here, and --resume goes on"
    )
    assert (whole / "state.safetensors").read_bytes() == before


def test_two_runs_in_one_folder_are_refused(root: Path) -> None:
    process = start(root, "twice", "--epochs", "100")
    wait_for(process, root / "twice" / "state.safetensors", 1)
    done = run(root, *tiny("twice", *OPTIONS, "--epochs", "100", "--resume"))
    process.kill()
    process.join()
    assert_refused(done, "twice: another run is at work there")


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ((), 2, "meanwhile/state.safetensors: there is a run already"),
        (("--resume",), 0, "meanwhile_--resume/state.safetensors: this run is done"),
    ],
    ids=["anew", "resume"],
)
def test_run_that_ended_in_the_folder_meanwhile_keeps_its_results(
    root: Path,
    words: tuple[str, ...],
    code: int,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = root / "_".join(("meanwhile", *words))
    whole = list(map(str, tiny(folder.name, "--epochs", "1", *words)))

    def files() -> dict[str, bytes]:
        return {each.name: each.read_bytes() for each in folder.iterdir() if each.suffix != ".html"}

    @contextmanager
    def progress(text: str, _images: int, _done: int) -> Iterator[Callable[[int, str], None]]:
        assert text == "looking at every image"
        assert run(root, *whole).returncode == 0
        before.update(files())
        yield lambda _more, _detail: None

    before: dict[str, bytes] = {}
    monkeypatch.setattr("resnext.terminal.image_bar.image_bar", progress)
    monkeypatch.chdir(root)
    torch.set_num_threads(1)
    with pytest.raises(SystemExit) as caught:
        main(whole)
    assert caught.value.code == code
    assert part in capsys.readouterr().err
    assert files() == before


def test_what_a_killed_run_left_half_written_is_removed_and_nothing_else(
    root: Path, whole: Path
) -> None:
    copy = shutil.copytree(whole, root / "copy")
    (copy / ".state.safetensors.tmp_abc1.part").write_bytes(b"half")
    others = (".best.safetensors.part", ".big.part", ".net.t7.part.json", ".tmp_abc1.part")
    for name in others:
        (copy / name).write_bytes(b"of another")
    (copy / ".last.safetensors.tmp_abc1.part").mkdir()
    assert run(root, *tiny("copy", *OPTIONS, "--resume")).returncode == 0
    hidden = sorted(path.name for path in copy.glob(".*") if path.is_file())
    assert hidden == [".best.safetensors.part", ".big.part", ".lock", *others[2:]]
    assert (copy / ".last.safetensors.tmp_abc1.part").is_dir()


def test_state_with_other_tensors_is_refused(root: Path, whole: Path) -> None:
    copy = shutil.copytree(whole, root / "tampered")
    with safe_open(copy / "state.safetensors", framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["network/fc.weight"] = tensors["network/fc.weight"][:2]
    save_file(tensors, copy / "state.safetensors", metadata)
    done = run(root, *tiny("tampered", *OPTIONS, "--resume"))
    assert_refused(done, "the tensors of this run expected, found others", "fc.weight")


def test_ctrl_c_saves_too_and_exits_with_2(root: Path, whole: Path) -> None:
    process = start(root, "by_hand", "--workers", "1")
    wait_for(process, root / "by_hand" / "state.safetensors", 3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 2
    first, second, last = warm.errors(root / "by_hand.stdout.txt").splitlines()[-3:]
    assert "no state there yet" in first
    assert "Ctrl-C again ends it at once" in second
    assert "--resume goes on" in last
    done = run(root, *tiny("by_hand", *OPTIONS, "--resume"))
    assert done.returncode == 0, done.stderr
    assert_as_whole(root / "by_hand", whole)


def test_run_that_is_done_stays_as_it_is(root: Path, whole: Path) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir() if path.suffix != ".html"}
    done = run(root, *tiny("whole", *OPTIONS, "--resume"))
    assert done.returncode == 0, done.stderr
    assert "this run is done" in done.stderr
    after = {path.name: path.read_bytes() for path in whole.iterdir() if path.suffix != ".html"}
    assert after == before


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (OPTIONS, ("last.safetensors", "last_average.safetensors", "metrics.jsonl")),
        ((*OPTIONS, "--epochs", "1"), ("best.safetensors",)),
    ],
    ids=["last", "best"],
)
def test_what_is_gone_of_a_run_that_is_done_is_written_again_in_every_bit(
    root: Path, words: tuple[str, ...], names: tuple[str, ...]
) -> None:
    folder = root / f"gone_{names[0]}"
    assert run(root, *tiny(folder.name, *words)).returncode == 0
    (folder / "training.html").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in names:
        (folder / name).unlink()
    done = run(root, *tiny(folder.name, *words, "--resume"))
    assert done.returncode == 0, done.stderr
    (folder / "training.html").unlink()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_best_network_that_is_gone_and_that_the_state_has_not_is_missed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_here(root, monkeypatch, "no_best", *OPTIONS, stop_at="epoch 2", times=3)
    (root / "no_best" / "best.safetensors").unlink()
    done = run(root, *tiny("no_best", *OPTIONS, "--resume"))
    assert_refused(done, "no_best/best.safetensors: the network of epoch 1 expected", "put it back")


def test_run_that_is_there_is_not_overwritten(root: Path, whole: Path) -> None:
    done = run(root, *tiny(whole.name, *OPTIONS))
    assert_refused(
        done, f"{whole.name}/state.safetensors", "--resume goes on", "--force starts anew"
    )


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--seed", "1"), "the saved run has seed 0, this command 1 (--seed)"),
        (("--lr", "0.5"), "the saved run has recipe lr 0.1, this command 0.5 (--lr)"),
        (("--val-data", "data/train"), "number of validation images 21, this command 48"),
        (("--preprocessing", "other.toml"), "preprocessing std 1 0.25, this command 0.5"),
        (("--init", "other.safetensors"), "first weights"),
    ],
    ids=["seed", "lr", "images", "preprocessing", "weights"],
)
def test_state_of_another_run_is_refused(
    root: Path, whole: Path, words: tuple[str, ...], part: str
) -> None:
    (root / "other.toml").write_text((root / "tiny.toml").read_text().replace("0.25", "0.5"))
    shutil.copy(whole / "last.safetensors", root / "other.safetensors")
    done = run(root, *tiny("whole", *OPTIONS, "--resume", *words))
    assert_refused(done, whole.name, part, "or another --output")
