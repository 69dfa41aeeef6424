"""What a person sees at the end: the table on stdout."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console

from resnext.terminal.text import number, printable
from validate.reports.table import LEAST, to_table
from validate.reports.wording import remarks
from validate.verdicts.results import Report

# Unreadable images that are listed; the reports name all of them.
LISTED: Final = 10


class _Console(Console):
    """A console that leaves it to the command to end where nobody reads stdout any more."""

    def on_broken_pipe(self) -> None:
        """Pass the error on: rich itself would end the process with 1, which is a verdict."""
        raise BrokenPipeError


def print_table(report: Report) -> None:
    """Print the results, and below them what there is to say about single claims and images."""
    console = _Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, LEAST)
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
