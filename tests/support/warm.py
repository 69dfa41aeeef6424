"""Real processes that start warm: forked from one that has imported what is slow to import.

Each is a process of its own with its own files and signals, and may be killed like any other; only
the two seconds that importing torch takes are paid once for all of them.
"""

import atexit
import os
import sys
import warnings
import weakref
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing import get_context, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

# What the commands import, and what PyTorch imports when an optimiser is made (two seconds).
SLOW = [
    *("torch", "torch.utils.data", "torch.distributed", "torch._dynamo", "numpy"),
    *("convert.cli", "convert.conversion", "convert.proof", "convert.summary"),
    *("predict.cli", "predict.outputs", "predict.prediction_pass"),
    *("train.cli", "train.training", "validate.cli", "validate.measurement", "validate.output"),
]


def start(
    command: str,
    words: Sequence[str | Path],
    *,
    cwd: Path,
    output: Path,
    environment: Mapping[str, str] | None = None,
    together: bool = False,
    typed: str | Path = os.devnull,
) -> BaseProcess:
    """Start a command in a process of its own, and return that.

    Args:
        command: the module whose `main` it is, e.g. "validate.cli".
        words: of its command line.
        cwd: the folder that it works in.
        output: takes what it prints on stdout, a named pipe say; what it prints on stderr goes to
            `.err` beside it, or to the same where that is a terminal.
        environment: what is set beside this process's own, as it is now.
        together: print stderr to `output` too, as a terminal shows both.
        typed: what it reads on stdin.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(SLOW)
    texts = [str(word) for word in words]
    files = (str(typed), str(output), together)
    given = (command, texts, str(cwd), files, {**os.environ, **(environment or {})})
    process = context.Process(target=_run, args=given)
    process.start()
    return process


def run(
    command: str, words: Sequence[str | Path], *, cwd: Path, output: Path | None = None
) -> CompletedProcess[str]:
    """Run a command to its end, 80 columns wide and with warnings as errors.

    Args:
        command, words, cwd: as for `start`.
        output: likewise; None is a file elsewhere that goes away.
    """
    if output is None:
        with TemporaryDirectory() as folder:
            return run(command, words, cwd=cwd, output=Path(folder) / "out")
    quiet = {"COLUMNS": "80", "PYTHONWARNINGS": "error"}
    process = start(command, words, cwd=cwd, output=output, environment=quiet)
    process.join()
    assert process.exitcode is not None
    return CompletedProcess(
        [command, *map(str, words)], process.exitcode, output.read_text(), errors(output)
    )


def errors(output: Path) -> str:
    """Return what a process printed on stderr."""
    return output.with_suffix(".err").read_text()


def _run(
    command: str,
    words: list[str],
    cwd: str,
    files: tuple[str, str, bool],
    environment: dict[str, str],
) -> None:
    typed, output, together = files
    os.dup2(os.open(typed, os.O_RDONLY), 0)
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    if together or output.startswith("/dev/"):
        os.dup2(1, 2)
    else:
        errors = Path(output).with_suffix(".err")
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
    # That of the process they all are forked from is the one of the test that came first.
    os.environ.clear()
    os.environ.update(environment)
    if "PYTHONWARNINGS" in environment:  # which an interpreter reads when it starts
        warnings.simplefilter(environment["PYTHONWARNINGS"])
    os.chdir(cwd)
    import torch

    torch.set_num_threads(1)
    # Reading processes are forked, as they are in a process that a user starts; this one would
    # have them start like itself, and import all anew.
    set_start_method("fork", force=True)
    sys.argv = [command, *words]
    main = import_module(command).main
    # From 3.13 on a forked process forgets what runs at exit, and `weakref` does not say it again.
    atexit.register(weakref.finalize._exitfunc)
    try:
        main(words)
    finally:
        atexit._run_exitfuncs()  # as an interpreter does that ends, and a forked process does not
