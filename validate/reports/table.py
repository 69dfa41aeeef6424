"""Results as a table for people."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from resnext.terminal.text import printable
from validate.reports.wording import LABELS, percent
from validate.verdicts.claims import Verdict
from validate.verdicts.groups import ClaimBlock, ClaimLine, Group, grouped
from validate.verdicts.results import Result

HEADERS: Final = ("network", "correct", "error %", "claim %", "verdict", "source")
NUMBERS: Final = ("correct", "error %", "claim %")
GAP: Final = "  "
# Columns that are used even where a terminal says that it has fewer, or none.
LEAST: Final = 40
# A source that does not fit goes on below itself, in no fewer columns than these.
NARROWEST: Final = 12
STYLES: Final = {
    Verdict.REPRODUCED: "green",
    Verdict.NOT_REPRODUCED: "bold red",
    Verdict.NO_VERDICT: "yellow",
}


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


def _rows(group: Group, block: ClaimBlock) -> Iterator[tuple[Text, ...]]:
    """Yield the cells of a block's lines, as many as `HEADERS`."""
    for place, line in enumerate(block.lines):
        pipeline = f" {line.result.run.pipeline}" if group.told else ""
        cells = [f"  {LABELS[line.metric]}{pipeline}"]
        cells += [f"{line.images - line.wrong}/{line.images}", percent(line.error)]
        cells += [line.claim.value if line.claim else ""]
        source = printable(line.claim.source) if line.claim and not place else ""
        yield (*map(Text, cells), _verdict(line), Text(source))


def _verdict(line: ClaimLine) -> Text:
    """Return the verdict; of a run that the claim is not about, how far off it is."""
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
    for number, part in enumerate(last.wrap(console, widths[-1])):
        line = indent + part if number else Text(GAP).join([*aligned, part])
        line.rstrip()
        yield line
