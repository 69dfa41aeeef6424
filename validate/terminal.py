"""What a person sees: a bar on stderr meanwhile, the table on stdout at the end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from validate.report import Result, to_remarks, to_table


@contextmanager
def progress(images: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, if stderr is a terminal.

    Args:
        images: how many there are; the function that is yielded takes how many more are done.
    """
    console = Console(stderr=True)
    # Refreshed by hand, for want of a thread: reading processes are forked while the bar is shown.
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        "images",
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=images)

    def advance(done: int) -> None:
        bar.update(task, advance=done, refresh=True)

    with bar:
        yield advance


def print_table(results: Sequence[Result]) -> None:
    """Print the results, and below them what there is to say about single claims."""
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(to_table(results))
    remarks = to_remarks(results)
    if remarks:
        console.print()
    for remark in remarks:
        console.print(remark, soft_wrap=True)
