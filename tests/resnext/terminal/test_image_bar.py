"""What a person sees while images are read."""

import os
import pty
import re
import subprocess
import sys

import pytest

from resnext.terminal.image_bar import image_bar, lines


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_once_a_minute_with_speed_and_time_left() -> None:
    clock, said = Clock(), []
    advance = lines("measuring", 50000, 10000, write=said.append, clock=clock)
    for seconds, more in ((59, 2500), (2, 3602), (10, 500), (60, 3398), (60, 30000)):
        clock.now += seconds
        advance(more)
    # 6,102 images in 61 s, of which those of the earlier run are none; then 10,000 in 131 s.
    assert said == [
        "measuring: 16,102 of 50,000 images, 100.0 images/s, 6 min left\n",
        "measuring: 20,000 of 50,000 images, 76.3 images/s, 7 min left\n",
    ]


@pytest.mark.parametrize(("done", "left"), [(60, "2 h 46 min"), (5000, "1 min"), (9940, "0 s")])
def test_lines_tell_the_time_left_in_the_unit_that_fits(done: int, left: str) -> None:
    clock, said = Clock(), []
    advance = lines("measuring", 10000, 0, write=said.append, clock=clock)
    clock.now += 60
    advance(done)
    assert said[0].endswith(f" images/s, {left} left\n")


def test_lines_tell_what_else_there_is_to_say() -> None:
    found: list[str] = []
    times = iter([0.0, 30.0, 61.0, 90.0, 130.0])
    advance = lines("epoch 1/9", 1000, 100, write=found.append, clock=lambda: next(times))
    for detail in ("loss 2", "loss 1.5", "loss 1.25", ""):
        advance(100, detail)
    assert found == [
        "epoch 1/9: 300 of 1,000 images, loss 1.5, 3.3 images/s, 4 min left\n",
        "epoch 1/9: 500 of 1,000 images, 3.1 images/s, 3 min left\n",
    ]


def test_last_line_is_left_to_the_table() -> None:
    clock, said = Clock(), []
    advance = lines("measuring", 10, 0, write=said.append, clock=clock)
    clock.now += 60
    advance(10)
    assert said == []


def test_short_run_without_a_terminal_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with image_bar("measuring", 3) as advance:
        advance(3)
    assert capfd.readouterr() == ("", "")


def test_progress_without_stderr_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # what Python makes of one that is closed
    with image_bar("measuring", 3) as advance:
        advance(3)


CODE = """
from resnext.terminal.image_bar import image_bar
with image_bar("measuring", 50000, 20000) as advance:
    for _ in range(3):
        advance(10000)
"""


def test_bar_on_a_terminal_fits_80_columns_and_starts_where_it_was() -> None:
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", CODE], stderr=side, env=environment)
    assert process.wait(timeout=60) == 0
    os.close(side)
    shown = b""
    while chunk := _read(main):
        shown += chunk
    os.close(main)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    frames = [frame for frame in re.split(r"[\r\n]+", plain) if frame.strip()]
    assert "20000/50000" in frames[0]
    assert any("50000/50000" in frame and "images/s" in frame for frame in frames)
    assert max(map(len, frames)) <= 80


LINES = """
from resnext.terminal import image_bar
image_bar.PAUSE = 0.0
with image_bar.image_bar("measuring", 3) as advance:
    advance(1)
print("went on")
"""


def test_pipe_that_nobody_reads_any_more_does_not_end_the_measurement() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", LINES], stdout=subprocess.PIPE, stderr=writer, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, "went on\n")


BAR = """
from resnext.terminal.image_bar import image_bar
with image_bar("measuring", 3) as advance:
    advance(1)
    input()
    advance(1)
print("went on")
"""


def test_terminal_that_is_closed_does_not_end_the_measurement() -> None:
    main, side = pty.openpty()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", BAR], stdin=pipe, stdout=pipe, stderr=side, text=True
    ) as process:
        os.close(side)
        while b"1/3" not in _read(main):
            assert process.poll() is None
        os.close(main)
        out, _ = process.communicate("\n", timeout=60)
    assert (process.returncode, out) == (0, "went on\n")


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # the other side is closed
        return b""
