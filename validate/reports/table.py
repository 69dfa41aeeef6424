"""The table of results that `resnext-validate` prints on stdout."""

import errno
import os
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from resnext.terminal.command import NARROWEST
from resnext.terminal.text import number, printable, wrapped
from validate.reports.sentences import LABELS, percent, remarks
from validate.verdicts.claim_groups import ClaimBlock, ClaimLine, NetworkGroup, grouped
from validate.verdicts.claims import Verdict
from validate.verdicts.results import Report, Result

HEADERS: Final = ("network", "correct", "error %", "claim %", "verdict", "source")
NUMBERS: Final = ("correct", "error %", "claim %")
GAP: Final = "  "
# So many columns are enough where there is no claim.
UNCLAIMED: Final = 3
# Minimum columns of the source, which is folded where it does not fit.
NARROWEST_SOURCE: Final = 12
# Unreadable images that are listed; the reports name all of them.
LISTED: Final = 10
STYLES: Final = {
    Verdict.REPRODUCED: "green",
    Verdict.NOT_REPRODUCED: "bold red",
    Verdict.NO_VERDICT: "yellow",
}


class _Console(Console):
    """A console that raises an error when the reader of stdout has closed it."""

    def on_broken_pipe(self) -> None:
        """Raise the error: rich would end the process with 1, the code of a claim that failed."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def print_table(report: Report) -> None:
    """Print the results, and below them remarks on single claims and the unreadable images."""
    console = _Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, NARROWEST)
    console.print(to_table(report.results, console), soft_wrap=True)
    texts = [*remarks(report.results), *_failures(report)]
    if texts:
        console.print()
    for text in map(printable, texts):
        # A file or a pipe gets each of them on one line.
        lines = wrapped(text, console.width) if console.is_terminal else text
        console.print(lines, soft_wrap=True)


def _failures(report: Report) -> Iterator[str]:
    failures = sorted(report.decisions.failures.items())
    if failures:
        yield f"{number(len(failures), 'image')} could not be read:"
    yield from (f"  {reason}" for _, reason in failures[:LISTED])
    if len(failures) > LISTED:
        yield f"  and {len(failures) - LISTED} more; --output lists them all"


def to_table(results: Sequence[Result], console: Console) -> Text:
    """Return the table: below the name of each network a line for each claim and pipeline.

    Names stand on lines of their own, and sources are folded, so that 80 columns are enough. Where
    the console has fewer than the table needs, each line is a sentence, broken at words. Without a
    claim there are no columns for one.

    Args:
        results: one or more.
        console: where it will be printed, which knows the width.
    """
    groups = [
        (group, [row for block in group.blocks() for row in _rows(group, block)])
        for group in grouped(results)
    ]
    rows = [row for _, found in groups for row in found]
    shown = len(HEADERS) if any(cell for row in rows for cell in row[UNCLAIMED:]) else UNCLAIMED
    columns = zip(map(Text, HEADERS), *rows, strict=True)
    widths = [max(cell.cell_len for cell in column) for column in columns][:shown]
    room = console.width - len(GAP) * (len(widths) - 1)
    if shown == len(HEADERS):
        widths[-1] = min(widths[-1], max(room - sum(widths[:-1]), NARROWEST_SOURCE))
    if sum(widths) > room:
        lines = []
        for group, found in groups:
            lines.append(Text(printable(group.title), style="bold"))
            lines += [Text(wrapped(_sentence(row), console.width, indent="    ")) for row in found]
        return Text("\n").join(lines)
    header = tuple(map(Text, HEADERS[:shown]))
    rule = Text("-" * (console.width - room + sum(widths)))
    lines = [*_lines(header, widths, console), rule]
    for group, found in groups:
        lines.append(Text(printable(group.title), style="bold"))
        lines += [line for row in found for line in _lines(row[:shown], widths, console)]
    return Text("\n").join(lines)


def _sentence(row: Sequence[Text]) -> str:
    """Return the cells of a line as a sentence."""
    what, correct, error, claim, verdict, source = (cell.plain for cell in row)
    parts = [f"{correct} correct", f"error {error} %" if error != "-" else "no error"]
    parts += [f"claim {claim} %"] if claim else []
    return f"{what}: {', '.join([*parts, *filter(None, (verdict, source))])}"


def _rows(group: NetworkGroup, block: ClaimBlock) -> Iterator[tuple[Text, ...]]:
    """Yield the cells of a block's lines, as many as `HEADERS`."""
    for place, line in enumerate(block.lines):
        pipeline = f" {line.result.run.pixels}" if group.told else ""
        cells = [f"  {LABELS[line.metric]}{pipeline}"]
        cells += [f"{line.images - line.wrong}/{line.images}", percent(line.error)]
        cells += [line.claim.value if line.claim else ""]
        source = printable(line.claim.printed) if line.claim and not place else ""
        yield (*map(Text, cells), _verdict(line), Text(source))


def _verdict(line: ClaimLine) -> Text:
    """Return the verdict, or the difference for a run under another protocol than the claim's."""
    if line.verdict is not None:
        return Text(line.verdict, style=STYLES[line.verdict])
    if line.points is None:
        return Text("")
    off = percent(abs(line.points))
    side = "above" if line.points > 0 else "below"
    return Text("as printed" if off == "0.00" else f"{off} {side}", style="dim")


def _lines(cells: Sequence[Text], widths: Sequence[int], console: Console) -> Iterator[Text]:
    """Yield a row's lines, numbers to the right of their columns, the source folded."""
    aligned = []
    for header, cell, width in zip(HEADERS, cells[: len(HEADERS) - 1], widths, strict=False):
        cell.align("right" if header in NUMBERS else "left", width)
        aligned.append(cell)
    sources = [part for cell in cells[len(aligned) :] for part in cell.wrap(console, widths[-1])]
    indent = Text(" " * (sum(widths[: len(aligned)]) + len(GAP) * len(aligned)))
    for place, part in enumerate(sources or [Text()]):
        line = indent + part if place else Text(GAP).join([*aligned, part])
        line.rstrip()
        yield line
