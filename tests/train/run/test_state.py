"""A run on disk: whole or as before, and never taken for another."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support.golden import ROOT
from train.run.folder import StateError
from train.run.progress import Best, Progress
from train.run.state import State
from train.step.loss import DivergedError
from train.step.pending_step import StepResult

SCORE = {"images": 10, "top1_correct": 5, "top5_correct": 9, "loss": 0.25}
ROW = {
    "epoch": 1,
    "lr": 0.1,
    "train": {"images": 16, "loss": 1.5, "wrong": 9, "gradient_norm": 2.0},
    "seconds": 1.25,
    "images_per_second": 12.8,
    "weights": SCORE,
    "average": SCORE,
    "best": True,
}
SCALE = {
    "scale": 65536.0,
    "growth_factor": 2.0,
    "backoff_factor": 0.5,
    "growth_interval": 2000,
    "_growth_tracker": 7,
}


def progress() -> Progress:
    seen = StepResult(images=8, loss=2.5, wrong=3, norm=0.75)
    best = Best(epoch=1, weights="average", wrong=5, loss=0.25)
    return Progress().ended(ROW, best).stepped(seen, 0.5).stepped(seen, 0.25)


def state() -> State:
    return State(
        identity={"seed": 1, "recipe": {"epochs": 3, "augmentation": {"flip": 0.5}}},
        progress=progress(),
        network={"conv1.weight": np.ones((2, 3), np.float32), "n": np.array(7, np.int64)},
        optimizer={"momentum": {"conv1.weight": np.full((2, 3), 0.5, np.float32)}},
        average={"conv1.weight": np.zeros((2, 3), np.float32), "n": np.array(7, np.int64)},
        scaler={"scaler": SCALE, "skipped": 2},
        decisions=np.array([1, 0, 2], np.int32),
    )


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state().save(tmp_path / "state.safetensors")
    found = State.load(tmp_path / "state.safetensors")
    expected = state()
    assert found.progress == expected.progress
    assert (found.identity, found.scaler) == (expected.identity, expected.scaler)
    assert found.optimizer.keys() == {"momentum"}
    for one, other in (
        (found.network, expected.network),
        (found.optimizer["momentum"], expected.optimizer["momentum"]),
        (found.average, expected.average),
    ):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name])
    np.testing.assert_array_equal(found.decisions, [1, 0, 2])
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


@pytest.mark.parametrize("kind", ["network", "optimizer", "average"])
def test_state_that_is_not_finite_is_not_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.safetensors"
    state().save(path)
    before = path.read_bytes()
    bad = np.array([[1, np.nan, 3], [4, 5, 6]], np.float32)
    named = {"conv1.weight": bad}
    tensors = {"exp_avg_sq": named} if kind == "optimizer" else named
    with pytest.raises(DivergedError, match=r"conv1\.weight: finite weights expected"):
        replace(state(), **{kind: tensors}).save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 7, 100, 900, -1], ids=lambda kept: f"{kept} bytes")
def test_state_that_is_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state.safetensors"
    state().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StateError, match="a whole state expected, found a damaged one"):
        State.load(path)


def test_checkpoint_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_file({"fc.bias": np.zeros(3, np.float32)}, path, {"spec": "{}"})
    with pytest.raises(StateError, match="a state of resnext-train expected, found another file"):
        State.load(path)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"epoch": 1}', '{"best": null, "tally": {}, "history": [], "x": 1}']
)
def test_state_with_a_damaged_place_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.safetensors"
    facts = {"form": "resnext-train state 2", "identity": "{}", "scaler": "{}", "progress": text}
    save_file({"best/decisions": np.zeros(0, np.int32)}, path, facts)
    with pytest.raises(StateError, match="damaged"):
        State.load(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("progress", "seconds"), "x"),
        (("progress", "seconds"), float("nan")),
        (("progress", "seconds"), 10**400),
        (("progress", "stale"), "x"),
        (("progress", "stale"), True),
        (("progress", "epoch"), 9),
        (("progress", "step"), -1),
        (("progress", "step"), 7),
        (("progress", "history"), [1]),
        (("progress", "history"), [{}]),
        (("progress", "history"), 1),
        (("progress", "history"), []),
        (("progress", "history", 0, "weights"), None),
        (("progress", "history", 0, "train", "images"), "x"),
        (("progress", "best"), None),
        (("progress", "best", "epoch"), 2),
        (("progress", "best", "weights"), "epoch"),
        (("progress", "tally", "images"), 0),
        (("scaler",), None),
        (("scaler",), {}),
        (("scaler", "scaler"), None),
        (("scaler", "scaler"), {"scale": 1.0}),
        (("scaler", "skipped"), "x"),
    ],
    ids=str,
)
def test_state_of_another_shape_is_refused(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    path = tmp_path / "state.safetensors"
    facts: dict[str, object] = {
        "progress": progress().to_fields(),
        "scaler": {"scaler": SCALE, "skipped": 2},
        "identity": {},
    }
    facts = json.loads(json.dumps(facts))
    where: Any = facts
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    header = {name: json.dumps(fact) for name, fact in facts.items()}
    save_file({"x": np.zeros(1)}, path, header | {"form": "resnext-train state 2"})
    with pytest.raises(StateError, match="damaged"):
        State.load(path)


@pytest.mark.parametrize("name", ["identity", "progress", "scaler"])
def test_state_that_is_nested_too_deeply_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "state.safetensors"
    facts = {
        "form": "resnext-train state 2",
        "identity": "{}",
        "progress": json.dumps(progress().to_fields()),
        "scaler": json.dumps({"scaler": {}, "skipped": 0}),
    }
    save_file({"x": np.zeros(1)}, path, facts | {name: "[" * 100_000 + "]" * 100_000})
    with pytest.raises(StateError, match="damaged"):
        State.load(path)


def test_missing_state_is_an_os_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        State.load(tmp_path / "state.safetensors")
    assert caught.value.filename == str(tmp_path / "state.safetensors")


def test_state_of_another_run_is_refused_by_the_first_difference(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    same = {"seed": 1, "recipe": {"epochs": 3, "augmentation": {"flip": 0.5}}}
    state().check(same, path)
    other = {"seed": 1, "recipe": {"epochs": 3, "augmentation": {"flip": 0.0}}}
    with pytest.raises(
        StateError,
        match=r"saved run has recipe augmentation flip 0\.5, this command 0\.0 \(--flip\); give",
    ):
        state().check(other, path)


def test_state_without_the_number_of_images_is_told_by_their_checksum(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    before = replace(state(), identity={"training images": "ab12"})
    before.check({"number of training images": 40, "training images": "ab12"}, path)
    with pytest.raises(StateError, match='training images "ab12", this command "cd34";'):
        before.check({"number of training images": 39, "training images": "cd34"}, path)


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("lr", "--lr"),
        ("batch_size", "--batch-size"),
        ("lr_batch_size", "--lr"),
        ("pca_lighting", "--pca-lighting"),
        ("contrast", "--color-jitter"),
        ("name", "--recipe"),
    ],
)
def test_difference_of_a_recipe_names_the_option(tmp_path: Path, field: str, option: str) -> None:
    one, other = ({"recipe": {field: value}} for value in (1, 2))
    with pytest.raises(StateError, match=rf"recipe {field} 1, this command 2 \({option}\);"):
        replace(state(), identity=one).check(other, tmp_path / "state.safetensors")


def test_other_number_of_processes_is_refused_where_the_steps_are_others(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    before = replace(state(), identity={"steps of an epoch": 2, "processes": 1})
    before.check({"steps of an epoch": 2, "processes": 2}, path)
    assert before.other_processes({"processes": 1}) is None
    assert before.other_processes({"processes": 2}) == (
        "saved by a job of 1, gone on with by one of 2: the weights will not be, bit for bit, "
        "those that 1 would give"
    )
    with pytest.raises(StateError, match="the saved run has steps of an epoch 2, this command 1;"):
        before.check({"steps of an epoch": 1, "processes": 2}, path)
    older = replace(state(), identity={})
    older.check({"steps of an epoch": 1, "processes": 2}, path)
    assert older.other_processes({"processes": 2}) is None


# What runs on a file system of a megabyte: a state that fits, then one that does not.
FULL = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
sys.path.insert(0, {root!r})
from tests.train.run.test_state import state
path = Path({folder!r}) / "state.safetensors"
state().save(path)
large = {{"conv1.weight": np.ones(500_000, np.float32)}}
try:
    replace(state(), network=large).save(path)
except Exception as error:
    print(type(error).__name__, error)
from train.run.state import State
print(len(State.load(path).network["conv1.weight"]), len(list(path.parent.iterdir())))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
def test_full_disk_keeps_the_state_before(tmp_path: Path) -> None:
    code = FULL.format(root=str(ROOT), folder=str(tmp_path))
    mount = f"mount -t tmpfs -o size=1m none {tmp_path} && exec {sys.executable} -c "
    script = ["unshare", "-r", "-m", "sh", "-c", f'{mount} "$0"', code]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("this system mounts nothing for a user")
    first, second = done.stdout.splitlines()
    assert first == (
        f"StateError {tmp_path}/state.safetensors: No space left on device; the state.safetensors "
        "of before is kept; make room, then go on with --resume"
    )
    assert second == "2 1"


def test_header_holds_json_and_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    state().save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert json.loads(header["__metadata__"]["progress"])["epoch"] == 2
    assert sorted(header)[:3] == ["__metadata__", "average/conv1.weight", "average/n"]


def test_progress_of_a_version_that_measured_each_norm_goes_on() -> None:
    fields = progress().to_fields()
    del fields["tally"]["unmeasured"]
    assert Progress.from_fields(fields) == progress()
