"""The benchmarks for a GPU run to their end on a CPU, at a size that measures nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import runs
from benchmarks.gpu import network as gpu_network
from benchmarks.gpu import pixels as gpu_pixels
from benchmarks.gpu import validation as gpu_validation
from benchmarks.gpu import ways as gpu_ways
from benchmarks.gpu.load import Load, nvidia_smi, watched
from benchmarks.gpu.machine import Common, best_of, seconds_of
from benchmarks.gpu.passes import Pass, passes
from benchmarks.gpu.turns import turns
from benchmarks.gpu.validation import Measured, table, timm_commands
from benchmarks.pictures import draw_many, draw_pictures, write_pictures
from benchmarks.runs import Run
from resnext.inference import scaling
from resnext.inference.arithmetic import Precision
from resnext.inference.scaling import scale_plainly
from resnext.model import ResNeXt
from resnext.pixels import resample
from resnext.spec import Spec
from tests.support.golden import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = ROOT
SMALL = "resnext_14_8x4d"
TINY = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=4, planes=8, stem_width=8, classes=7)

needs_timm = [
    pytest.mark.peers,
    pytest.mark.skipif(
        find_spec("timm") is None or find_spec("torchvision") is None,
        reason="timm and torchvision are not installed",
    ),
]


@pytest.fixture
def subject() -> gpu_ways.Subject:
    network = ResNeXt(TINY, generator=torch.Generator().manual_seed(0)).eval()
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return gpu_ways.Subject(
        network=network,
        device=torch.device("cpu"),
        precision=Precision.FP32,
        example=pictures,
    )


def common(**changes: Any) -> Common:
    usual = {"device": "cpu", "rounds": 5, "output": None, "commit": None}
    return Common(**{**usual, **changes})


def command(name: str, folder: Path, *words: str) -> dict[str, Any]:
    """Run a benchmark in a process of its own, and return what it wrote."""
    output = folder / "result.json"
    subprocess.run(
        [
            *(sys.executable, "-m", f"benchmarks.gpu.{name}", "--device", "cpu", "--rounds", "1"),
            *("--output", str(output), "--network", SMALL, *words),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return json.loads(output.read_text())


# What was seen of a run


def seen(speed: float, *, seconds: float, load: tuple[float, float] | None = None) -> Measured:
    """Return a run of 8 images, of which the second half came at a speed."""
    done = Pass(text="", marks=((0.0, 0), (1.0, 4), (1.0 + 4 / speed, 4)))
    return Measured(run=Run(seconds=seconds, peak_bytes=5_000_000, output=""), done=done, load=load)


def test_pass_counts_and_times_its_steps() -> None:
    done = Pass(text="epoch 1", marks=((10.0, 0), (14.0, 8), (15.0, 8), (16.0, 4)))
    assert (done.images, done.begin, done.end) == (20, 10.0, 16.0)
    assert done.speed() == pytest.approx(20 / 6)
    assert done.speed(skipped=1) == pytest.approx(12 / 2)
    assert done.speed(skipped=2) == pytest.approx(4 / 1)


def test_ratios_are_to_the_quicker_of_timm_in_the_same_round() -> None:
    rows = table(
        {
            "timm_amp": [seen(4, seconds=10), seen(8, seconds=8), seen(8, seconds=8)],
            "timm_half": [seen(8, seconds=8), seen(4, seconds=10), seen(8, seconds=8)],
            "resnext": [
                seen(16, seconds=4, load=(90.0, 2000.0)),
                seen(16, seconds=4, load=(80.0, 3000.0)),
                seen(8, seconds=8, load=(85.0, 1000.0)),
            ],
        }
    )
    assert rows["resnext"]["steady_times_timm"] == 2.0
    assert rows["resnext"]["process_times_timm"] == 2.0
    assert rows["resnext"]["gpu_busy_percent"] == 85.0
    assert rows["resnext"]["gpu_mib"] == 3000.0
    assert rows["timm_amp"]["gpu_busy_percent"] is None
    assert rows["timm_amp"]["steady_times_timm"] == 1.0


def test_without_timm_there_is_no_ratio() -> None:
    row = table({"resnext": [seen(16, seconds=4)]})["resnext"]
    assert row["times_timm"] is row["steady_times_timm"] is row["process_times_timm"] is None
    assert row["images_per_second"] > 0


def test_command_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.write_text("22")
    once = f"import pathlib; p = pathlib.Path({str(left)!r}); p.write_text(p.read_text()[1:]); "
    commands = {
        "fails": [sys.executable, "-c", once + "assert p.read_text()"],
        "works": [sys.executable, "-c", "print('done')"],
    }
    seen = [
        (done.rounds, len(done.runs["works"]), list(done.failed))
        for done in turns(commands, rounds=3, warm=False)
    ]
    assert seen == [(1, 1, []), (2, 2, ["fails"]), (3, 3, ["fails"])]


def test_command_that_fails_while_it_warms_up_is_left_out() -> None:
    commands = {"fails": [sys.executable, "-c", "1 / 0"], "works": [sys.executable, "-c", ""]}
    (done,) = turns(commands, rounds=1, warm=True)
    assert list(done.runs) == ["works"]
    assert len(done.runs["works"]) == 1
    assert "exit code 1" in done.failed["fails"]


def test_best_of_some_ways_is_taken_round_by_round() -> None:
    assert best_of(["a", "b", "missing"], {"a": [1, 5], "b": [3, 2], "c": [9, 9]}) == [3, 5]


def test_seconds_are_those_of_one_call() -> None:
    begin = time.perf_counter()
    found = seconds_of(lambda: time.sleep(0.02), torch.device("cpu"), calls=3)
    assert 0.02 <= found <= (time.perf_counter() - begin) / 3


def test_validation_says_when_its_batches_were_done() -> None:
    digits = ROOT / "examples" / "digits"
    words = ["--data", str(digits / "val"), "--claims", str(digits / "claims.toml"), "--json"]
    words += ["--limit", "40", "--batch-size", "16", "--workers", "0", "--device", "cpu"]
    begin = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.gpu.passes", "validate", *words),
            str(digits / "resnext_11_8x4d_digits.t7"),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    (found,) = passes(Run(seconds=0, peak_bytes=0, output=done.stdout))
    assert [images for _, images in found.marks] == [0, 16, 16, 8]
    assert begin < found.begin < found.end < time.monotonic()
    assert json.JSONDecoder().raw_decode(done.stdout)[0]["timing"]["images"] == 40


# The load of a GPU


def test_load_is_what_was_seen_between_two_moments() -> None:
    script = "echo '10, 100'; sleep 0.5; echo '[N/A], [N/A]'; echo '50, 900'; echo '70, 300'"
    with watched(["sh", "-c", f"{script}; exec sleep 9"]) as load:
        deadline = time.monotonic() + 5
        while len(load.looks) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [look.busy for look in load.looks] == [10, 50, 70]
    first = load.looks[0].moment
    assert load.looks[1].moment > first + 0.05
    assert load.between(first + 0.01, time.monotonic()) == (60.0, 900.0)
    assert load.between(0, first - 1) is None


@pytest.mark.parametrize(
    ("visible", "device", "gpu"),
    [
        (None, "cuda", "0"),
        (None, "cuda:3", "3"),
        ("5,GPU-8a", "cuda:1", "GPU-8a"),
        ("5", "cuda", "5"),
    ],
)
def test_load_is_of_the_gpu_that_computes(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, device: str, gpu: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    command = nvidia_smi(device)
    assert command is not None
    assert f"--id={gpu}" in command


def test_load_of_a_cpu_is_not_looked_at() -> None:
    assert nvidia_smi("cpu") is None
    with watched(None) as load:
        assert isinstance(load, Load)
    assert load.looks == []


# Where results go


def test_result_too_small_to_keep_is_only_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    common().keep("some", {"a": 1}, full=True)  # not on a GPU
    common(device="cuda", rounds=4).keep("some", {"a": 1}, full=True)
    common(device="cuda").keep("some", {"a": 1}, full=False)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out.count("not kept") == 3


def test_gpu_is_not_measured_without_the_compiled_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "engine", lambda: "NumPy")
    done = CliRunner().invoke(gpu_pixels.main, ["--device", "cuda"])
    assert done.exit_code == 1
    assert "a compiled bicubic expected, found NumPy's: pip install" in done.output


@pytest.mark.parametrize("commit", [None, "v7"])
def test_result_says_with_what_it_was_measured(tmp_path: Path, commit: str | None) -> None:
    path = tmp_path / "some.json"
    runs.write_result("some", {"a": 1}, ("torch",), path=path, commit=commit)
    found = json.loads(path.read_text())
    assert found["a"] == 1
    assert set(found["machine"]) == {"processor", "cores"}
    assert found["packages"] == {"torch": version("torch")}
    assert found["commit"] == commit or (commit is None and "v7" not in found["commit"])


# Pictures


def test_further_names_are_of_the_same_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path, 23, different=10)
    files = sorted(tmp_path.rglob("*.JPEG"), key=lambda path: path.name)
    assert len(files) == 23
    assert len({path.stat().st_ino for path in files}) == 10
    assert files[13].samefile(files[3])
    assert [path.read_bytes() for path in files[:10]] == draw_pictures()[:10]


@pytest.mark.slow
def test_pictures_are_the_same_from_several_processes() -> None:
    assert list(draw_many(43, first=2, processes=2)) == [
        *draw_pictures(seed=2),
        *draw_pictures(seed=3)[:3],
    ]


# Ways to compute a network


def test_ways_answer_what_the_plain_network_does_and_failures_are_told(
    subject: gpu_ways.Subject,
) -> None:
    ways = {name: gpu_ways.WAYS[name] for name in ("plain", "predictor", "folded")}
    missing = replace(gpu_ways.WAYS["plain"], make=lambda _: torch.compiled_for_another_machine)
    pictures = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    rows = gpu_network.measure({**ways, "missing": missing}, subject, pictures, rounds=2, calls=1)
    assert list(rows) == [*ways, "missing"]
    for name in ways:
        assert rows[name]["changed"] == 0
        assert rows[name]["furthest"] < 1e-5
        assert rows[name]["milliseconds"] > 0
        assert rows[name]["times_timm"] is None
    reason = rows["missing"]["failed"]
    assert reason.startswith("AttributeError: module 'torch' has no attribute 'compiled_for_")
    assert len(reason) < 250


def test_changed_decisions_are_counted(subject: gpu_ways.Subject) -> None:
    turned = gpu_ways.Way(make=lambda each: lambda x: -gpu_ways.WAYS["plain"].make(each)(x))
    pictures = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    rows = gpu_network.measure({"turned": turned}, subject, pictures, rounds=1, calls=1)
    assert rows["turned"]["changed"] == 5


def test_way_that_fails_later_does_not_end_the_others(subject: gpu_ways.Subject) -> None:
    left = iter(range(3))  # the first call, the decisions, and one more

    def make(each: gpu_ways.Subject) -> gpu_ways.Compute:
        plain = gpu_ways.WAYS["plain"].make(each)

        def compute(x: torch.Tensor) -> torch.Tensor:
            if next(left, None) is None:
                raise RuntimeError("an engine\nis missing")
            return plain(x)

        return compute

    ways = {"failing": gpu_ways.Way(make=make), "plain": gpu_ways.WAYS["plain"]}
    rows = gpu_network.measure(ways, subject, subject.example, rounds=2, calls=1)
    assert rows["failing"] == {"failed": "RuntimeError: an engine"}
    assert rows["plain"]["changed"] == 0


# Whole benchmarks


def test_pixels_are_compared_and_measured(tmp_path: Path) -> None:
    output = tmp_path / "pixels.json"
    words = ["--device", "cpu", "--rounds", "1", "--output", str(output), "--commit", "some"]
    words += ["--batch-size", "3", "--batches", "2", "--calls", "1"]
    done = CliRunner().invoke(gpu_pixels.main, words)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["commit"] == "some"
    row = found["rows"]["PyTorch"]
    assert (row["values"], row["differing"], row["furthest"]) == (7 * 3 * 224 * 224, 0, 0.0)
    assert len(row["first_seconds"]) == 3
    assert row["milliseconds"] > 0
    assert found["megabytes"]["float32"] == pytest.approx(3 * 3 * 224 * 224 * 4 / 1e6, abs=0.01)
    assert 0.2 < found["megabytes"]["bytes"] / found["megabytes"]["float32"] < 0.8


def test_engine_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = scaling.Engine(name="None", place=("benchmarks.gpu", "missing"), devices=("cpu",))
    monkeypatch.setattr(scaling, "ENGINES", (none, *scaling.ENGINES))
    output = tmp_path / "pixels.json"
    words = ["--device", "cpu", "--rounds", "1", "--output", str(output)]
    words += ["--batch-size", "2", "--batches", "1", "--calls", "1"]
    done = CliRunner().invoke(gpu_pixels.main, words)
    assert done.exit_code == 1
    assert "these failed: None" in done.output
    rows = json.loads(output.read_text())["rows"]
    assert rows["None"]["failed"].startswith("AttributeError: module 'benchmarks.gpu' has no")
    assert rows["PyTorch"]["milliseconds"] > 0


def test_pixels_that_differ_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def farther(*facts: Any) -> torch.Tensor:
        return scale_plainly(*facts).nextafter(torch.tensor(np.inf))

    monkeypatch.setattr(scaling.Engine, "load", lambda _: farther)
    words = ["--device", "cpu", "--rounds", "1", "--output", str(tmp_path / "pixels.json")]
    words += ["--batch-size", "2", "--batches", "1", "--calls", "1"]
    done = CliRunner().invoke(gpu_pixels.main, words)
    assert done.exit_code == 1
    assert "every bit of the CPU's values expected, differing: {'PyTorch': 451584}" in done.output


@pytest.mark.parametrize(
    ("precision", "flags"),
    [
        ("fp32", {"timm": ["--exact"], "timm_channels_last": ["--exact", "--channels-last"]}),
        ("tf32", {"timm": [], "timm_channels_last": ["--channels-last"]}),
        (
            "bf16",
            {
                "timm_amp": ["--channels-last", "--amp", "bfloat16"],
                "timm_half": ["--channels-last", "--model-dtype", "bfloat16"],
            },
        ),
    ],
    ids=["fp32", "tf32", "bf16"],
)
def test_timm_is_measured_in_the_same_precision(
    precision: str, flags: dict[str, list[str]]
) -> None:
    commands = timm_commands("resnext_101_64x4d", precision, ["images", "some.safetensors"])
    fixed = ["images", "some.safetensors", "--model", "resnext101_64x4d", "--model-kwargs", "{}"]
    found = {name: words[3:] for name, words in commands.items()}
    assert found == {name: [*fixed, *words] for name, words in flags.items()}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--timm", "timm_last"], "--timm: timm_amp or timm_half expected, found timm_last"),
        (["--images", "128"], "--images: more than a batch of 128 expected"),
    ],
    ids=["way", "images"],
)
def test_validation_that_cannot_be_measured_is_refused(words: list[str], reason: str) -> None:
    done = CliRunner().invoke(gpu_validation.main, ["--device", "cpu", *words])
    assert done.exit_code == 2
    assert reason in done.output


class TestAgainstTimm:
    """What needs timm itself."""

    pytestmark = needs_timm

    @pytest.mark.slow
    def test_validation_runs_to_its_end(self, tmp_path: Path) -> None:
        size = ("--images", "12", "--different", "5", "--batch-size", "4", "--workers", "1")
        found = command("validation", tmp_path, *size)
        assert list(found["rows"]) == ["timm_amp", "timm_half", "resnext"]
        assert {row["images"] for row in found["rows"].values()} == {12}
        assert found["different_pictures"] == 5
        assert all(row["images_per_second"] > 0 for row in found["rows"].values())

    @pytest.mark.slow
    def test_compiled_validation_runs_to_its_end(self, tmp_path: Path) -> None:
        size = ("--images", "10", "--different", "5", "--batch-size", "4", "--workers", "1")
        found = command("validation", tmp_path, *size, "--compiled", "--precision", "fp32")
        rows = found["rows"]
        assert list(rows) == ["timm", "timm_channels_last", "resnext", "resnext_compiled"]
        assert {row["images"] for row in rows.values()} == {10}

    @pytest.mark.slow
    def test_training_runs_to_its_end(self, tmp_path: Path) -> None:
        size = ("--different", "5", "--batch-size", "4", "--skipped", "1", "--steps", "2")
        found = command("training", tmp_path, *size, "--workers", "1")
        assert list(found["rows"]) == ["timm", "resnext"]
        assert all(row["images_per_second"] > 0 for row in found["rows"].values())

    @pytest.mark.slow
    @pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
    def test_training_in_both_ways_runs_to_its_end(self, tmp_path: Path) -> None:
        size = ("--different", "5", "--batch-size", "4", "--skipped", "1", "--steps", "2")
        found = command("training", tmp_path, *size, "--workers", "1", "--both")
        assert list(found["rows"]) == ["timm", "resnext", "timm_compiled", "resnext_compiled"]
        for row in found["rows"].values():
            assert row["command_to_first_step_seconds"] > row["first_step_seconds"] > 0
            assert row["times_timm"] > 0

    @pytest.mark.slow
    def test_network_runs_to_its_end(self, tmp_path: Path) -> None:
        size = ("--batch-size", "2", "--calls", "1", "--pictures", "3", "--precision", "bf16")
        found = command("network", tmp_path, *size)
        rows = found["rows"]
        assert [name for name, row in rows.items() if "failed" in row] == []
        assert {"predictor", "timm", "timm_last", "timm_amp"} <= set(rows)

    def test_timm_answers_the_same_in_every_way(self) -> None:
        spec = Spec(blocks=(1, 1, 1, 1), cardinality=2, base_width=4, planes=8, classes=7)
        network = ResNeXt(spec, generator=torch.Generator().manual_seed(0)).eval()
        example = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        subject = gpu_ways.Subject(
            network=network,
            device=torch.device("cpu"),
            precision=Precision.FP32,
            example=example,
        )
        ways = {name: gpu_ways.WAYS[name] for name in ("predictor", "timm", "timm_last")}
        rows = gpu_network.measure(ways, subject, example, rounds=1, calls=1)
        assert [row["changed"] for row in rows.values()] == [0, 0, 0]
        assert max(row["furthest"] for row in rows.values()) < 1e-4
        assert max(rows["timm"]["times_timm"], rows["timm_last"]["times_timm"]) == 1.0
