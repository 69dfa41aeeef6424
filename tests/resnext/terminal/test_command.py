"""How a command speaks, and how it ends when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnext.terminal.command import say

# Commands of the shortest kind, which guard themselves against nothing.
COMMAND = """
import os, signal
import click
from resnext.errors import ResnextError
from resnext.terminal.command import Command

@click.command("prog", cls=Command)
@click.version_option("1", prog_name="prog")
def main():
    {body}

main()
"""


def run(body: str, *words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a command of one line in a process of its own."""
    code = COMMAND.format(body=body)
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_say_writes_one_line_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    say("prog", "a\n  b: \x1b[2J\udcff, é")
    assert capsys.readouterr() == ("", "prog: a b: \\x1b[2J\\udcff, é\n")


@pytest.mark.parametrize(
    ("body", "code"),
    [("pass", 0), ("return 1", 1), ("raise ResnextError('no')", 2), ("1 / 0", 2)],
    ids=["done", "claim", "error", "fault"],
)
def test_last_line_under_torchrun_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, body: str, code: int
) -> None:
    text = f"prog: exit code {code}; torchrun turns every other than 0 into 1"
    assert text not in run(body).stderr
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    done = run(body)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, text)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert text not in run(body).stderr


def test_fault_of_the_command_itself_is_no_verdict() -> None:
    done = run("1 / 0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    code = COMMAND.format(body="1 / 0")
    for where in (">/dev/full", ">&-"):
        shell = subprocess.run(
            ["sh", "-c", f'"$0" -c "$1" 2{where}', sys.executable, code],
            stdout=subprocess.PIPE,
            check=False,
        )
        assert (shell.returncode, shell.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", "interrupted"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "ended by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGHUP)", "ended by SIGHUP"),
        ("raise ResnextError('no network')", "no network"),
        ("open('none')", "none: No such file or directory"),
        ("raise MemoryError", "out of memory"),
        ("raise click.UsageError('wrong.')", "wrong; --help lists what there is"),
        ("raise SystemExit('no package')", "no package"),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP", "input", "file", "memory", "usage", "exit"],
)
def test_command_ends_with_one_line_and_2(body: str, message: str) -> None:
    done = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"prog: {message}\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [("click.echo('x')", []), ("print('x')", []), ("pass", ["--help"]), ("pass", ["--version"])],
    ids=["click", "print", "help", "version"],
)
def test_stdout_that_nobody_reads_is_no_verdict(body: str, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(body, *words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize(("body", "code"), [("return 1", 1), ("sys.exit(3)", 3), ("pass", 0)])
def test_command_ends_with_the_code_that_it_returns(body: str, code: int) -> None:
    assert run(f"import sys; {body}").returncode == code


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_print_to_a_closed_stream_lands_in_no_file(tmp_path: Path, closed: str) -> None:
    """As libtiff prints to descriptor 2, whatever file that is."""
    body = "file = open('ledger', 'wb'); [os.write(each, b'noise') for each in (1, 2)]; "
    code = COMMAND.format(body=body + "file.write(b'entry'); return 0")
    shell = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert (tmp_path / "ledger").read_bytes() == b"entry"
    assert done.stdout == (b"" if "1>" in closed else b"noise")
    assert done.stderr == (b"" if "2>" in closed else b"noise")


# What GNU's OpenMP library, which PyTorch brings along, says of itself when it is loaded.
WAITS = "OMP_WAIT_POLICY = '"


@pytest.mark.parametrize(
    ("stated", "policy", "count"),
    [
        ({}, "PASSIVE", "0"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", None),
        ({"GOMP_SPINCOUNT": "77"}, None, "77"),
    ],
    ids=["ours", "the user's", "the user's in GNU's words"],
)
def test_threads_of_torch_wait_as_the_command_or_the_user_says(
    monkeypatch: pytest.MonkeyPatch, stated: dict[str, str], policy: str | None, count: str | None
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    said = run("import torch").stderr
    if WAITS not in said:
        pytest.skip("this PyTorch has another OpenMP library than GNU's")
    if policy is not None:
        assert f"{WAITS}{policy}'" in said
    if count is not None:
        assert f"GOMP_SPINCOUNT = '{count}'" in said


def test_what_a_command_starts_waits_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    started = "import os; print(os.environ['OMP_WAIT_POLICY'])"
    body = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {started!r}])"
    assert run(body).stdout == "PASSIVE\n"
