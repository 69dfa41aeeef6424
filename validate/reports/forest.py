"""The forest plot of a network: measured errors and their intervals beside published errors."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from resnext.pages.axes import Axis, axis_over
from resnext.published import Claim
from resnext.terminal.text import number, printable
from validate.reports.sentences import LABELS, group_remarks, percent
from validate.reports.statistics import Answers, discordant
from validate.verdicts.claim_groups import ClaimBlock, ClaimLine, NetworkGroup
from validate.verdicts.claims import Verdict, tolerance
from validate.verdicts.significance import exact_mcnemar

# Shown instead of a verdict if the claim was made under another protocol than the run's.
COMPARED: Final = "compared"
# Room beside the outermost interval, as a part of the whole axis.
MARGIN: Final = 0.06

# Symbols beside the words, so that a verdict does not depend on colour alone.
VERDICT_MARKS: Final = {
    Verdict.REPRODUCED: "\u2713",
    Verdict.NOT_REPRODUCED: "\u2717",
    Verdict.NO_VERDICT: "?",
    COMPARED: "\u2194",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalMark:
    """A measured error and its interval in the plot, all in percent of the width.

    Attributes:
        at: the measured error.
        low, high: the ends of its 95 % interval.
        zero: the published error.
        band_low, band_high: the ends of the claim's tolerance.
    """

    at: float
    low: float
    high: float
    zero: float
    band_low: float
    band_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestLine:
    """The cells of one row of the table.

    Attributes:
        points: measured minus published error.
        images: how many more were wrong than published.
        mark: None where there is no published error.
    """

    pipeline: str
    correct: str
    error: str
    interval: str
    points: str
    images: str
    verdict: str
    mark: IntervalMark | None

    @property
    def description(self) -> str:
        """Return the plot's description for screen readers."""
        return (
            f"{self.pipeline}: measured {self.error} %, 95 % interval {self.interval}, "
            f"{self.points} points from the published error"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestBlock:
    """The lines of a claim, or of a metric without one.

    Attributes:
        published: the error as it was printed; None without a claim.
        slack: the tolerance of the claim, in points.
    """

    label: str
    published: str | None
    source: str
    slack: str
    lines: tuple[ForestLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """The table and the plot of one network.

    Attributes:
        axis: of the plot, in points from the published error; None without any claim.
        notes: sentences below the table.
    """

    title: str
    axis: Axis | None
    blocks: tuple[ForestBlock, ...]
    notes: tuple[str, ...]

    @property
    def last_marked(self) -> int | None:
        """Return the place of the last block with a plot: the axis is drawn below it."""
        if self.axis is None:
            return None
        places = reversed(range(len(self.blocks)))  # the last is found at once: it is asked often
        return next((place for place in places if self.blocks[place].published), None)


def forest(group: NetworkGroup, found: Answers) -> Forest:
    """Return the table and the plot of a network."""
    blocks = tuple(group.blocks())
    axis = axis_of(line for block in blocks for line in block.lines)
    return Forest(
        title=printable(group.title),
        axis=axis,
        blocks=tuple(_block(block, axis) for block in blocks),
        notes=(*group_remarks(group), *_discordance(group, found)),
    )


def axis_of(lines: Iterable[ClaimLine]) -> Axis | None:
    """Return an axis of points that has room for every line with a claim; None if none has one."""
    values = [0.0]
    for line in lines:
        if line.claim is not None and line.points is not None and line.interval is not None:
            claimed, slack = float(line.claim.value), _slack(line.claim)
            values += [line.interval[0] - claimed, line.interval[1] - claimed, slack, -slack]
    if len(values) == 1:
        return None
    margin = MARGIN * (max(values) - min(values))
    return axis_over(min(values) - margin, max(values) + margin, _tick_text)


def mark_of(line: ClaimLine, axis: Axis | None) -> IntervalMark | None:
    """Return the place of a line on an axis; None if it has no claim or no measurement."""
    if axis is None or line.claim is None or line.points is None or line.interval is None:
        return None
    claimed, slack = float(line.claim.value), _slack(line.claim)
    low, high = line.interval
    return IntervalMark(
        at=axis.at(float(line.points)),
        low=axis.at(low - claimed),
        high=axis.at(high - claimed),
        zero=axis.at(0),
        band_low=axis.at(-slack),
        band_high=axis.at(slack),
    )


def signed(value: Fraction | int, digits: int) -> str:
    """Return a difference with its sign and a typographic minus; 0 has no sign."""
    text = f"{float(value):+,.{digits}f}".replace("-", "\u2212")
    return text if any(digit in text for digit in "123456789") else text[1:]


def _tick_text(points: float) -> str:
    return f"{points:+.10g}".replace("-", "\u2212") if abs(points) > 1e-9 else "0"


def _block(block: ClaimBlock, axis: Axis | None) -> ForestBlock:
    claim = block.claim
    return ForestBlock(
        label=f"{LABELS[block.metric]} error",
        published=claim.value if claim else None,
        source=printable(claim.title) if claim else "",
        slack=f"{_slack(claim):.10g}" if claim else "",
        lines=tuple(_line(line, axis) for line in block.lines),
    )


def _slack(claim: Claim) -> float:
    return float(tolerance(claim.value, claim.tolerance))


def _line(line: ClaimLine, axis: Axis | None) -> ForestLine:
    low, high = line.interval or (None, None)
    return ForestLine(
        pipeline=line.result.run.pixels,
        correct=f"{line.images - line.wrong:,}/{line.images:,}",
        error=percent(line.error),
        interval=f"{percent(low)} to {percent(high)}",
        points="" if line.points is None else signed(line.points, 2),
        images="" if line.excess is None else signed(line.excess, 0),
        verdict=line.verdict or (COMPARED if line.claim else ""),
        mark=mark_of(line, axis),
    )


def _discordance(group: NetworkGroup, found: Answers) -> list[str]:
    first, *others = group.places
    texts = []
    for other, result in zip(others, group.results[1:], strict=True):
        one, two = group.results[0].run.pixels, result.run.pixels
        only_one, only_two = discordant(found, first, other)
        texts.append(
            f"{number(only_one, 'image')} right under {one} alone, {only_two:,} under {two} alone "
            f"(exact McNemar test: p = {exact_mcnemar(only_one, only_two):.2g})"
        )
    return texts
