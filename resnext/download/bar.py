"""The progress of a download on stderr: a bar on a terminal, two lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from resnext.download.completion import Progress
from resnext.terminal.command import tell
from resnext.terminal.text import printable


@contextmanager
def download_bar(name: str) -> Iterator[Progress]:
    """Yield a function that shows the progress of a download; nothing is shown until it is called.

    Args:
        name: of the file.
    """
    name = printable(name)
    if sys.stderr is not None and sys.stderr.isatty():
        with _bar(name) as progress:
            yield progress
    else:
        with _lines(name) as progress:
            yield progress


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )

    def advance(done: int, total: int | None) -> None:
        with suppress(OSError):  # the terminal was closed
            if not bar.task_ids:
                # Not earlier: the speed must not include what an earlier run downloaded.
                bar.add_task(name, completed=done, total=total)
                bar.start()
            bar.update(bar.task_ids[0], completed=done, total=total)

    try:
        yield advance
    finally:
        if bar.task_ids:
            with suppress(OSError):
                bar.stop()


@contextmanager
def _lines(name: str) -> Iterator[Progress]:
    begun = False

    def advance(done: int, total: int | None) -> None:
        nonlocal begun
        if not begun:
            of = "" if total is None else f", {total} bytes"
            there = f", {done} are here already" if done else ""
            tell(f"{name}: downloading{of}{there}\n")
        begun = True

    yield advance
    if begun:
        tell(f"{name}: complete\n")
