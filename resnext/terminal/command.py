"""The base of every command: any error of a user is a line on stderr and exit code 2."""

import gc
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from shutil import get_terminal_size
from types import MappingProxyType
from typing import Any, Final

import click

from resnext.distributed.job import (
    Job,
    is_under_torchrun,
    leads_all,
    leave,
    wait_for_first_process,
)
from resnext.errors import ResnextError
from resnext.terminal.bus_error import end_on_bus_error
from resnext.terminal.environment import let_waiting_threads_sleep
from resnext.terminal.signals import SignalledError, signals_raised
from resnext.terminal.text import printable

# 0 is "done, everything within tolerance" and 1 "it ran, and a claim did not hold".
BAD_INPUT: Final = 2
# Columns for which text is broken into lines, also where a terminal states fewer, or none.
NARROWEST: Final = 40
# Letters of a line: of ten pictures that cannot be read, with long names.
LONGEST: Final = 10_000


class Command(click.Command):
    """A click command that ends with one line and exit code 2 on any error that a user can cause.

    The function that it wraps returns the exit code, or None for 0.

    Attributes:
        other_names: what other tools call options of this command -> its own name of it, which
            begins with "--", or a sentence.
    """

    other_names: Mapping[str, str] = MappingProxyType({})

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command and end the process."""
        let_waiting_threads_sleep(os.environ)
        open_missing_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a file's name need not be valid text
                stream.reconfigure(errors="backslashreplace")
        end_on_bus_error(str(self.name))
        try:
            with signals_raised():
                code = self._run(*args, **{**extra, "standalone_mode": False})
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):
                say(str(self.name), code)
                code = BAD_INPUT
        except Exception:  # noqa: BLE001 - a bug; Python's exit code, 1, stands for a failed claim
            tell(traceback.format_exc())
            code = BAD_INPUT
        code = code if isinstance(code, int) else 0
        say_exit_code(str(self.name), code)
        # The interpreter's last collection would look at all that torch consists of, for 0.3 s.
        gc.freeze()
        sys.exit(code)

    def _run(self, *args: Any, **extra: Any) -> Any:
        with exit_on_error(str(self.name)):
            try:
                return super().main(*args, **extra)
            except click.UsageError as error:
                message = f"{error.format_message().rstrip('.')}; --help lists what there is"
                wait_for_first_process()
                say(str(self.name), message)
                sys.exit(BAD_INPUT)

    # Around each of these two: click's own `main` turns Ctrl-C into an error of its own, and a
    # closed stdout into exit code 1, which stands for a failed claim.
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments."""
        with exit_on_error(str(self.name)):
            return super().make_context(*args, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and say what an option that is unknown here is called."""
        names = [word.partition("=")[0] for word in args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name for name in dict.fromkeys(names) if name in self.other_names]
            if not known:
                raise
            hints = ", ".join(f"{name} ({self._hint(name)})" for name in known)
            raise click.UsageError(f"No such option: {hints}", ctx) from error

    def _hint(self, name: str) -> str:
        hint = self.other_names[name]
        return f"{self.name} calls it {hint}" if hint.startswith("--") else hint

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command's function."""
        with exit_on_error(str(self.name)):
            return super().invoke(ctx)


class NamedPath(click.Path):
    """A path that is not empty: `pathlib` takes "", as of an unset variable, for this folder."""

    def __init__(self, *, file_okay: bool = True) -> None:
        """Accept any path, or with `file_okay` false none of an existing file."""
        super().__init__(path_type=Path, file_okay=file_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("a path expected, found an empty text.", param, ctx)
        path: Path = super().convert(value, param, ctx)  # type: ignore[assignment]
        if not self.file_okay and path.exists() and not path.is_dir():  # a device or a pipe
            self.fail(f"{path}: a folder expected, found no folder.", param, ctx)
        return path


@contextmanager
def exit_on_error(prog: str) -> Iterator[None]:
    """Turn any error that a user can cause in the block into one line on stderr and exit code 2.

    These are `ResnextError`, `OSError`, `MemoryError`, Ctrl-C and `SignalledError`. There is no
    line if the reader of stdout has closed it (`| head`). Stdout is flushed here, so that its
    errors are caught too.

    Args:
        prog: the command's name, which starts the line.

    Raises:
        SystemExit: with code 2, in place of the error.
    """
    try:
        yield
        if sys.stdout is not None:  # None if the command was started with it closed
            sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more when it ends, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BAD_INPUT) from None
    except (KeyboardInterrupt, OSError, ResnextError, MemoryError) as error:
        # torchrun sends signals to all processes of a job when one has ended, which has said why.
        if not isinstance(error, SignalledError) or os.environ.get("LOCAL_RANK", "0") == "0":
            for line in error.lines if isinstance(error, ResnextError) else (error_line(error),):
                say(prog, line)
    else:
        return
    raise SystemExit(BAD_INPUT)


def open_missing_streams() -> None:
    """Open the null device as each of the descriptors 0, 1 and 2 that is closed.

    The next file that is opened would else get its number, and take what C libraries print there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            found = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(found, True)


def say(prog: str, text: str) -> None:
    """Write one line to stderr, after the command's name; only its ends if it is very long."""
    line = printable(" ".join(text.split()))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    tell(f"{prog}: {line}\n")


def tell(text: str) -> None:
    """Write a text to stderr; the work goes on if its reader has closed it."""
    with suppress(OSError):
        if sys.stderr is not None:  # None if the command was started with it closed
            sys.stderr.write(text)
            sys.stderr.flush()


def say_exit_code(prog: str, code: int) -> None:
    """Say the exit code under `torchrun`, which turns every code other than 0 into 1."""
    if is_under_torchrun() and leads_all():
        say(prog, f"exit code {code}; torchrun turns every other than 0 into 1")


def end_job(prog: str, job: Job, code: int = 0) -> None:
    """End this process at once if it finished a job of several processes; see `leave`.

    Args:
        prog: the command's name.
        job: that was joined, and has ended.
        code: the exit code.
    """
    if job.size > 1:
        say_exit_code(prog, code)
        leave(job, code)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is; None if it is a file or a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return max(get_terminal_size().columns, NARROWEST)


def error_line(error: KeyboardInterrupt | OSError | ResnextError | MemoryError) -> str:
    """Return an error as one line; an OSError as file and reason, without Python's `[Errno 2]`."""
    if isinstance(error, SignalledError):
        return f"ended by {error.signal.name}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, ResnextError):
        return str(error)
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
