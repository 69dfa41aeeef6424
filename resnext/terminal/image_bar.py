"""Progress over images on stderr: a bar on a terminal, elsewhere a line every minute."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final, Protocol

from resnext.terminal.command import tell
from resnext.terminal.text import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Seconds between two lines in a log.
PAUSE: Final = 60.0
# Columns from which a terminal has room for a bar and the speed too.
WIDE: Final = 80


class Advance(Protocol):
    """Takes how many more images are done, and a detail to show, of all images so far."""

    def __call__(self, more: int, detail: str = "", /) -> None:
        """Show it."""


@contextmanager
def image_bar(text: str, images: int, done: int = 0) -> Iterator[Advance]:
    """Yield a function that shows the progress of some work on images.

    On a terminal it shows a bar, elsewhere a line on stderr every minute. The work goes on if the
    terminal is closed.

    Args:
        text: what is being done.
        images: how many there are.
        done: how many of these an earlier run has done; the speed does not count them.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        with _shown_bar(text, images, done) as advance:
            yield advance
    else:
        yield lines(text, images, done, write=tell, clock=time.monotonic)


def aside(advance: Advance) -> AbstractContextManager[None]:
    """Take the bar off the terminal while the block prints there; it then stands below that."""
    return advance.aside() if isinstance(advance, _Bar) else nullcontext()


def lines(
    text: str,
    images: int,
    done: int,
    *,
    write: Callable[[str], object],
    clock: Callable[[], float],
) -> Advance:
    """Return a function that takes how many more images are done, and prints a line every minute.

    Args:
        text: what is being done.
        images: how many there are.
        done: how many of these an earlier run has done.
        write: takes a line with its newline.
        clock: returns seconds.
    """
    begin = said = clock()
    before = done

    def advance(more: int, detail: str = "", /) -> None:
        nonlocal done, said
        done += more
        now = clock()
        if now - said >= PAUSE and done < images:
            said = now
            rate = (done - before) / (now - begin)
            parts = [f"{text}: {done:,} of {images:,} images"]
            parts += [detail] if detail else []
            parts += [f"{rate:.1f} images/s"]
            parts += [f"{duration((images - done) / rate)} left" if rate else "none so far"]
            write(", ".join(parts) + "\n")

    return advance


class _Bar:
    """A bar on a terminal, which goes on if the terminal is closed."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def __call__(self, more: int, detail: str = "", /) -> None:
        """Show that more images are done."""
        with suppress(OSError):
            self._progress.update(self._task, advance=more, detail=detail, refresh=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while the block runs."""
        with suppress(OSError):
            self._progress.stop()
        yield
        with suppress(OSError):
            self._progress.start()


@contextmanager
def _shown_bar(text: str, images: int, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Speed(ProgressColumn):
        """The current speed, in images per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if speed is None:
                return Text("")
            return Text(f"{speed:,.{0 if speed >= 100 else 1}f} images/s")

    console = Console(stderr=True)
    wide = console.width >= WIDE
    # Refreshed here and not by a thread: reading processes are forked while the bar is shown.
    bar = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        *([BarColumn(bar_width=None)] if wide else []),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(no_wrap=True)),
        *([Speed(table_column=Column(no_wrap=True))] if wide else []),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
    )
    task = bar.add_task(text, total=images, completed=done, detail="")
    with suppress(OSError):
        bar.start()
    try:
        yield _Bar(bar, task)
    finally:
        with suppress(OSError):
            bar.stop()
