import json
import subprocess
import sys
import time
from pathlib import Path

from resnext.terminal.timeline import Step, Timeline
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"


def test_step_that_comes_again_keeps_its_first_time() -> None:
    times = iter([1.5, 2.0])
    timeline = Timeline(lambda: next(times))
    for step in (Step.READ, Step.READ, Step.DECIDED, Step.READ):
        timeline.mark(step)
    assert dict(timeline.reached) == {Step.READ: 1.5, Step.DECIDED: 2.0}


def test_steps_of_a_validation_are_in_its_reports_and_their_times_rise(tmp_path: Path) -> None:
    words = ["--data", DIGITS / "val", "--limit", "20", "--output", tmp_path]
    checkpoint = DIGITS / "resnext_11_8x4d_digits.t7"
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "validate.cli", *map(str, words), str(checkpoint)],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    timeline = json.loads((tmp_path / "report.json").read_text())["timing"]["timeline"]
    assert list(timeline) == [
        "command started",
        "request checked",
        "torch imported",
        "device ready",
        "kernels tried",
        "networks ready",
        "first batch read",
        "first decisions",
        "last decisions",
        "reports written",
    ]
    times = list(timeline.values())
    assert times == sorted(times)
    # Python itself and torch take time, and the kernel counts in hundredths of a second.
    assert 0 < times[0] < timeline["torch imported"] - 0.2
    assert times[-1] < seconds + 0.02
    assert "Seconds from the start of the process: command started " in (
        (tmp_path / "report.md").read_text()
    )
    assert "<caption>Seconds from the start of the process</caption>" in (
        (tmp_path / "report.html").read_text()
    )


def test_json_on_stdout_has_the_timeline_up_to_the_last_decisions(tmp_path: Path) -> None:
    words = ["--data", DIGITS / "val", "--limit", "2", "--json", "--workers", "0"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "validate.cli", *map(str, words)),
            str(DIGITS / "resnext_11_8x4d_digits.t7"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    timeline = json.loads(done.stdout)["timing"]["timeline"]
    assert list(timeline)[-2:] == ["first decisions", "last decisions"]
