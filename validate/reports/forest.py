"""Published against measured, claim by claim: what the page's main table and plot show."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from resnext.published import Claim
from resnext.terminal.text import number, printable
from validate.ledger.comparison import exact_mcnemar
from validate.reports.plot import Axis, Mark, axis_of, mark_of
from validate.reports.statistics import Answers, flips
from validate.reports.wording import LABELS, group_remarks, percent
from validate.verdicts.claims import Verdict, tolerance
from validate.verdicts.groups import Block, Group, Line

# What is said of a line that no claim was made about, and of one that is not its claim's protocol.
UNCLAIMED: Final = ""
COMPARED: Final = "compared"

# Beside the words, so that colour is never alone.
VERDICT_MARKS: Final = {
    Verdict.REPRODUCED: "\u2713",
    Verdict.NOT_REPRODUCED: "\u2717",
    Verdict.NO_VERDICT: "?",
    COMPARED: "\u2194",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestLine:
    """One measured line in words, and its place in the plot."""

    pipeline: str
    correct: str
    error: str
    interval: str
    points: str
    images: str
    verdict: str
    mark: Mark | None

    @property
    def description(self) -> str:
        """Say what the plot shows to who does not see it."""
        return (
            f"{self.pipeline}: measured {self.error} %, 95 % interval {self.interval}, "
            f"{self.points} points from the published error"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestBlock:
    """A claim, or a metric without one, and its lines."""

    label: str
    published: str | None
    source: str
    slack: str
    lines: tuple[ForestLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """One network.

    Attributes:
        title: its name.
        group: where it comes from.
        axis: of the plot; None without any claim.
        blocks: claim by claim.
        notes: sentences below the table.
    """

    title: str
    group: Group
    axis: Axis | None
    blocks: tuple[ForestBlock, ...]
    notes: tuple[str, ...]

    @property
    def last_marked(self) -> int | None:
        """Return the last block that has a plot, below which the axis stands."""
        marked = [place for place, block in enumerate(self.blocks) if block.published]
        return marked[-1] if marked and self.axis else None


def forest(group: Group, found: Answers) -> Forest:
    """Return what is shown of a network."""
    blocks = tuple(group.blocks())
    axis = axis_of(line for block in blocks for line in block.lines)
    return Forest(
        title=printable(group.title),
        group=group,
        axis=axis,
        blocks=tuple(_block(block, axis) for block in blocks),
        notes=(*group_remarks(group), *_flips(group, found)),
    )


def _block(block: Block, axis: Axis | None) -> ForestBlock:
    claim = block.claim
    return ForestBlock(
        label=f"{LABELS[block.metric]} error",
        published=claim.value if claim else None,
        source=_source(claim) if claim else "",
        slack=f"{float(tolerance(claim.value)):.10g}" if claim else "",
        lines=tuple(_line(line, axis) for line in block.lines),
    )


def _source(claim: Claim) -> str:
    protocol = [f"{claim.crops} crops"] if claim.crops != 1 else []
    protocol += [f"crop {claim.crop}"] if claim.crop else []
    return ", ".join([printable(claim.source), *protocol])


def _line(line: Line, axis: Axis | None) -> ForestLine:
    low, high = line.interval or (None, None)
    unjudged = COMPARED if line.claim else UNCLAIMED
    return ForestLine(
        pipeline=line.result.run.pipeline,
        correct=f"{line.images - line.wrong:,}/{line.images:,}",
        error=percent(line.error),
        interval=f"{percent(low)} to {percent(high)}",
        points="" if line.points is None else signed(line.points, 2),
        images="" if line.excess is None else signed(line.excess, 0),
        verdict=line.verdict or unjudged,
        mark=mark_of(line, axis),
    )


def signed(value: Fraction | int, digits: int) -> str:
    """Return a difference with its sign, the minus that people print; 0 has none."""
    text = f"{float(value):+,.{digits}f}".replace("-", "\u2212")
    return text if any(digit in text for digit in "123456789") else text[1:]


def _flips(group: Group, found: Answers) -> list[str]:
    first, *others = group.places
    texts = []
    for other, result in zip(others, group.results[1:], strict=True):
        one, two = group.results[0].run.pipeline, result.run.pipeline
        only_one, only_two = flips(found, first, other)
        texts.append(
            f"{number(only_one, 'image')} right under {one} alone, {only_two:,} under {two} alone "
            f"(exact McNemar test: p = {exact_mcnemar(only_one, only_two):.2g})"
        )
    return texts
