"""The steps of a page: commands and blocks of Python, run as they stand, and what they print."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import warm

FENCE = re.compile(
    r"(?P<loose><!-- other processors: other figures -->\n)?"
    r"^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
OURS = {
    "resnext-convert": "convert.cli",
    "resnext-validate": "validate.cli",
    "resnext-predict": "predict.cli",
    "resnext-train": "train.cli",
}
PLAIN = re.compile(r"[\w ./:=,-]+")  # what a shell hands over as it stands
ANY_LINES = "..."  # a line that stands for any number of lines
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
# What differs from machine to machine or from day to day, and no page can state in advance.
VARIES = re.compile(
    r"\d[\d,.]* images/s|\d+ (?:s|min|h)\b(?: left| in all)?|within \d\.\de-\d+ of|\d+ threads?"
    r"|\d{4}-\d\d-\d\d"
)
# A file's size: its header states how far the proof came, and other versions write other formats.
SIZE = re.compile(r"(?<=: )[\d,]{7,}(?= bytes)")


@dataclass(frozen=True)
class Step:
    """One command, or one block of Python, and what the page says that it prints.

    `loose`: numbers may differ by 30 %, and counts by 4, because training is not the same in every
    bit on every processor.
    """

    command: str
    python: bool
    shown: list[str]
    loose: bool


def steps(page: Path) -> Iterator[Step]:
    """Yield the steps of a page in their order.

    A block without a language that begins with `$ ` is a terminal: each `$ ` is a command, and what
    follows it is its output. A block of Python may be followed by a block with its output.
    """
    waiting: Step | None = None  # a block of Python that may be followed by its output
    for found in FENCE.finditer(page.read_text()):
        body, loose = found["body"], found["loose"] is not None
        if found["language"] == "python":
            if waiting is not None:
                yield waiting
            waiting = Step(body, python=True, shown=[ANY_LINES], loose=False)
        elif found["language"] == "" and body.startswith("$ "):
            if waiting is not None:
                yield waiting
                waiting = None
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, *shown = part.splitlines()
                yield Step(command, python=False, shown=shown, loose=loose)
        elif found["language"] == "" and waiting is not None:
            yield Step(waiting.command, python=True, shown=body.splitlines(), loose=loose)
            waiting = None
    if waiting is not None:
        yield waiting


def run(step: Step, folder: Path, last_code: int) -> tuple[int, list[str]]:
    """Run a step in a folder and return its exit code and the lines that a terminal shows.

    A command of ours without signs of a shell's starts warm; a shell runs every other.

    Args:
        last_code: what `$?` is, the exit code of the command before.
    """
    command, *words = step.command.split()
    if not step.python and command in OURS and PLAIN.fullmatch(step.command):
        with TemporaryDirectory() as place:
            output = Path(place) / "shown"
            process = warm.start(
                OURS[command],
                words,
                cwd=folder,
                output=output,
                environment={"COLUMNS": "200"},
                together=True,
            )
            process.join()
            assert process.exitcode is not None
            return process.exitcode, output.read_text().splitlines()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    arguments = (
        [sys.executable, "-c", step.command]
        if step.python
        else ["bash", "-c", f"(exit {last_code}); {step.command}"]
    )
    finished = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return finished.returncode, finished.stdout.splitlines()


def differs(printed: list[str], shown: list[str], *, loose: bool) -> bool:
    """Tell whether printed lines are other than those of the page, in which `...` is any lines."""
    if not shown:
        return bool(printed)
    if shown[0] == ANY_LINES:
        return all(
            differs(printed[skipped:], shown[1:], loose=loose)
            for skipped in range(len(printed) + 1)
        )
    return (
        not printed
        or not same_line(printed[0], shown[0], loose=loose)
        or differs(printed[1:], shown[1:], loose=loose)
    )


def same_line(printed: str, shown: str, *, loose: bool) -> bool:
    """Compare two lines without what varies, and with `loose` numbers only roughly."""
    sizes = [numbers(" ".join(SIZE.findall(line))) for line in (printed, shown)]
    if any(abs(a - b) > 0.01 * b for a, b in zip(*sizes, strict=False)):
        return False
    printed, shown = (VARIES.sub("~", SIZE.sub("~", line.rstrip())) for line in (printed, shown))
    if printed == shown:
        return True
    if not loose or squeezed(printed) != squeezed(shown):
        return False
    return all(
        abs(a - b) <= max(4.0 if b.is_integer() else 0.3, 0.3 * b)
        for a, b in zip(numbers(printed), numbers(shown), strict=True)
    )


def squeezed(line: str) -> str:
    """Return a line with `#` for each number and one space for several."""
    return re.sub(r" +", " ", NUMBER.sub("#", line))


def numbers(line: str) -> list[float]:
    """Return the numbers of a line."""
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]
