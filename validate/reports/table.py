"""The table of results that `resnext-validate` prints on stdout."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from resnext.terminal.text import number, printable
from validate.reports.sentences import LABELS, percent, remarks
from validate.verdicts.claim_groups import ClaimBlock, ClaimLine, NetworkGroup, grouped
from validate.verdicts.claims import Verdict
from validate.verdicts.results import Report, Result

HEADERS: Final = ("network", "correct", "error %", "claim %", "verdict", "source")
NUMBERS: Final = ("correct", "error %", "claim %")
GAP: Final = "  "
# Minimum width in columns, also for terminals that report fewer, or none.
LEAST: Final = 40
# Minimum columns of the source, which is folded where it does not fit.
NARROWEST: Final = 12
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
        raise BrokenPipeError


def print_table(report: Report) -> None:
    """Print the results, and below them remarks on single claims and the unreadable images."""
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


def to_table(results: Sequence[Result], console: Console) -> Text:
    """Return the table: below the name of each network a line for each claim and pipeline.

    Names stand on lines of their own, and sources are folded, so that 80 columns are enough.

    Args:
        results: one or more.
        console: where it will be printed, which knows the width.
    """
    groups = [
        (group, [row for block in group.blocks() for row in _rows(group, block)])
        for group in grouped(results)
    ]
    header = tuple(map(Text, HEADERS))
    columns = zip(header, *(row for _, rows in groups for row in rows), strict=True)
    widths = [max(cell.cell_len for cell in column) for column in columns]
    gaps = len(GAP) * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(console.width - sum(widths[:-1]) - gaps, NARROWEST))
    lines = [*_lines(header, widths, console), Text("-" * (sum(widths) + gaps))]
    for group, rows in groups:
        lines.append(Text(printable(group.title), style="bold"))
        lines += [line for row in rows for line in _lines(row, widths, console)]
    return Text("\n").join(lines)


def _rows(group: NetworkGroup, block: ClaimBlock) -> Iterator[tuple[Text, ...]]:
    """Yield the cells of a block's lines, as many as `HEADERS`."""
    for place, line in enumerate(block.lines):
        pipeline = f" {line.result.run.pipeline}" if group.told else ""
        cells = [f"  {LABELS[line.metric]}{pipeline}"]
        cells += [f"{line.images - line.wrong}/{line.images}", percent(line.error)]
        cells += [line.claim.value if line.claim else ""]
        source = printable(line.claim.source) if line.claim and not place else ""
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
    *firsts, last = cells
    aligned = []
    for header, cell, width in zip(HEADERS, firsts, widths, strict=False):
        cell.align("right" if header in NUMBERS else "left", width)
        aligned.append(cell)
    indent = Text(" " * (sum(widths[:-1]) + len(GAP) * len(aligned)))
    for place, part in enumerate(last.wrap(console, widths[-1])):
        line = indent + part if place else Text(GAP).join([*aligned, part])
        line.rstrip()
        yield line
