"""A command that a signal ends: one line, exit code 2, and nothing half written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resnext.terminal.signals import signals_held, signals_raised
from tests.support.golden import ROOT

COMMAND = """
import os, signal, time
from pathlib import Path
import click
from resnext.files import whole_file
from resnext.terminal.command import Command

@click.command("prog", cls=Command)
def main():
{body}

main()
"""
WRITING = """
    with whole_file(Path("result")) as file:
        file.write(b"half")
        file.flush()
        print("writing", flush=True)
        time.sleep(60)
"""
TWICE = """
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        Path("clean").touch()
"""
FORKING = """
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGTERM)
    print(os.waitpid(child, 0)[1])
"""


def start(
    body: str, folder: Path, *, before: tuple[str, ...] = (), rank: str = "0"
) -> subprocess.Popen[str]:
    """Start a command in a folder."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", COMMAND.format(body=body)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LOCAL_RANK": rank},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    with start(WRITING, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        (half,) = tmp_path.iterdir()
        assert half.suffix == ".part"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=10)
    word = "interrupted" if number is signal.SIGINT else f"ended by {number.name}"
    assert (process.returncode, stderr) == (2, f"prog: {word}\n")
    assert list(tmp_path.iterdir()) == []


def test_second_signal_does_not_disturb_what_cleans_up(tmp_path: Path) -> None:
    with start(TWICE, tmp_path) as process:
        _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (2, "prog: ended by SIGTERM\n")
    assert [path.name for path in tmp_path.iterdir()] == ["clean"]


def test_process_that_was_forked_ends_at_once(tmp_path: Path) -> None:
    with start(FORKING, tmp_path) as process:
        stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (0, f"{signal.SIGTERM.value}\n", "")


def test_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    body = "    os.kill(os.getpid(), signal.SIGHUP); print('on')"
    with start(body, tmp_path, before=("nohup",)) as process:
        stdout, _ = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (0, "on\n")


def test_later_process_of_a_job_that_torchrun_ends_is_silent(tmp_path: Path) -> None:
    with start("    os.kill(os.getpid(), signal.SIGTERM)", tmp_path, rank="1") as process:
        _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (2, "")


def test_signals_are_those_of_before_when_the_command_has_ended() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with signals_raised():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_command_in_another_thread_takes_no_signals() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with signals_raised():
                pass
        except ValueError as error:  # what Python raises over signals of another thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


def test_signals_that_are_held_act_behind_the_block() -> None:
    done = []

    def work() -> None:
        with signals_held():
            signal.raise_signal(signal.SIGINT)
            done.append("rest of the block")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["rest of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
