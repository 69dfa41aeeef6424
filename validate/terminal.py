"""What a person sees: progress on stderr meanwhile, the table on stdout at the end."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console

from resnext.shell import tell
from resnext.text import printable
from validate.results import Report
from validate.table import to_table
from validate.wording import number, remarks

Advance = Callable[[int], None]

# Seconds between two lines where nobody sees a bar: often enough for a log, and no flood of lines.
PAUSE: Final = 60.0
# Unreadable images that are listed; the reports name all of them.
LISTED: Final = 10


@contextmanager
def progress(images: int, done: int = 0) -> Iterator[Advance]:
    """Show how far the measurement is while the block runs.

    On a terminal that is a bar; elsewhere a line on stderr every minute. Where nobody sees either
    any more, the measurement goes on.

    Args:
        images: how many there are; the function that is yielded takes how many more are done.
        done: of them, those that an earlier run has measured; the speed does not count them.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        with _bar(images, done) as advance:
            yield advance
    else:
        yield lines(images, done, write=tell, clock=time.monotonic)


def lines(
    images: int, done: int, *, write: Callable[[str], object], clock: Callable[[], float]
) -> Advance:
    """Return a function that takes how many more images are done, and now and then says so.

    Args:
        images: how many there are.
        done: of them, those that an earlier run has measured.
        write: takes a line with its end.
        clock: tells the seconds.
    """
    begin = said = clock()
    before = done

    def advance(more: int) -> None:
        nonlocal done, said
        done += more
        now = clock()
        if now - said >= PAUSE and done < images:
            said = now
            rate = (done - before) / (now - begin)
            left = f"{_duration((images - done) / rate)} left" if rate else "none so far"
            write(f"{done:,} of {number(images, 'image')}, {rate:.1f} images/s, {left}\n")

    return advance


class _Console(Console):
    """A console that leaves it to the command to end where nobody reads stdout any more."""

    def on_broken_pipe(self) -> None:
        """Pass the error on: rich itself would end the process with 1, which is a verdict."""
        raise BrokenPipeError


def print_table(report: Report) -> None:
    """Print the results, and below them what there is to say about single claims and images."""
    console = _Console(markup=False, highlight=False, emoji=False)
    console.print(to_table(report.results, console))
    texts = [*remarks(report.results), *_failures(report)]
    if texts:
        console.print()
    for text in texts:
        console.print(printable(text), soft_wrap=True)


def _failures(report: Report) -> Iterator[str]:
    failures = sorted(report.decisions.failures.items())
    if failures:
        yield f"{number(len(failures), 'image')} could not be read:"
    yield from (f"  {reason}" for _, reason in failures[:LISTED])
    if len(failures) > LISTED:
        yield f"  and {len(failures) - LISTED} more; --output lists them all"


@contextmanager
def _bar(images: int, done: int) -> Iterator[Advance]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        """Images a second, of late."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} images/s")

    # Refreshed by hand, for want of a thread: reading processes are forked while the bar is shown.
    bar = Progress(
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        "images",
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    task = bar.add_task("", total=images, completed=done)

    def advance(more: int) -> None:
        with suppress(OSError):  # a terminal that is gone
            bar.update(task, advance=more, refresh=True)

    with suppress(OSError):
        bar.start()
    try:
        yield advance
    finally:
        with suppress(OSError):
            bar.stop()


def _duration(seconds: float) -> str:
    """Return a time as people say it: "40 s", "12 min", "3 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
