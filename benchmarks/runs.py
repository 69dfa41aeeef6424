"""Whole processes, timed in turn: the machine's mood changes, so only ratios of one run compare."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).with_name("results")


def command_line() -> ArgumentParser:
    """Return a parser of the arguments of the module that is run, which its docstring describes.

    Without arguments of its own, a measurement starts only where none are given.
    """
    module = sys.modules["__main__"]
    name = module.__spec__.name if module.__spec__ else sys.argv[0]
    return ArgumentParser(
        prog=f"python -m {name}",
        description=module.__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process.

    Attributes:
        seconds: wall time from start to exit.
        peak_bytes: largest resident set, mapped pages of files included.
        output: what it printed on stdout.
        began: when it was started, in seconds of `time.monotonic`.
        processor: seconds of processor time, of the processes that it started and waited for too.
    """

    seconds: float
    peak_bytes: int
    output: str
    began: float = 0.0
    processor: float = 0.0


def run(command: Sequence[str]) -> Run:
    """Run a command to its end and return what it took.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile("w+") as output:
        start, began = time.perf_counter(), time.monotonic()
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
        output.seek(0)
        return Run(
            seconds=seconds,
            peak_bytes=usage.ru_maxrss * 1024,
            output=output.read(),
            began=began,
            processor=usage.ru_utime + usage.ru_stime,
        )


def in_turn(
    commands: Mapping[str, Sequence[str]], *, rounds: int, warm: bool = True
) -> dict[str, list[Run]]:
    """Run all commands in turn, `rounds` times; before that, to be `warm`, each once."""
    for command in commands.values() if warm else ():
        run(command)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    return runs


def summary(runs: Mapping[str, Sequence[Run]], *, base: str) -> dict[str, dict[str, float]]:
    """Return medians per command, and the median of the ratios to `base` in the same round."""
    return {
        name: {
            "seconds": round(median(r.seconds for r in row), 3),
            f"times_{base}": round(
                median(r.seconds / b.seconds for r, b in zip(row, runs[base], strict=True)), 2
            ),
            "peak_mb": round(max(r.peak_bytes for r in row) / 1e6, 1),
        }
        for name, row in runs.items()
    }


def write_result(
    name: str,
    fields: Mapping[str, object],
    packages: Sequence[str],
    *,
    device: str = "cpu",
    path: Path | None = None,
    commit: str | None = None,
) -> None:
    """Write a result with the machine, the versions and the commit that it was measured with.

    Args:
        name: of the result.
        fields: what was measured.
        packages: whose versions matter.
        device: what computed.
        path: another place than `RESULTS`.
        commit: where the history is not at hand; else git is asked.
    """
    document = {
        **fields,
        "machine": _machine(device),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "commit": commit or _commit(),
    }
    RESULTS.mkdir(exist_ok=True)
    (path or RESULTS / f"{name}.json").write_text(
        json.dumps(document, indent=2, allow_nan=False) + "\n"
    )


def read_result(name: str) -> Any:
    """Return a result as `write_result` wrote it."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def script(name: str) -> str:
    """Return the path of a console script of this environment."""
    return str(Path(sys.executable).with_name(name))


def _commit() -> str:
    """Name the code: its commit, and whether anything but results was changed since."""
    changes = ("status", "--porcelain", "--untracked-files=no", "--", ":/", f":(exclude){RESULTS}")
    dirty = "-dirty" if _git(*changes) else ""
    return _git("rev-parse", "--short", "HEAD") + dirty


def _git(*words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _machine(device: str) -> dict[str, object]:
    import torch

    from resnext.machine import versions

    found = versions(torch.device(device))
    known = ("processor", "device", "cuda", "cudnn")
    return {"cores": os.cpu_count(), **{name: found[name] for name in known if name in found}}
