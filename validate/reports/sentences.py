"""Sentences about results and verdicts, shared by all reports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from resnext.preprocessing import Pipeline
from resnext.published import Claim, Metric
from resnext.terminal.text import number, printable
from validate.verdicts.claim_groups import NetworkGroup, grouped, open_claims
from validate.verdicts.claims import Judgement, Unjudged, Verdict
from validate.verdicts.results import Report, Result

LABELS: Final = {Metric.TOP1_ERROR: "top-1", Metric.TOP5_ERROR: "top-5"}

DECIDED: Final = (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)
HOLDING: Final = {1: "the claim holds", 2: "both claims hold"}


class Outcome(StrEnum):
    """The overall outcome of a report; the last is that of a run that ended without results."""

    INCOMPLETE = "incomplete"
    NOT_REPRODUCED = "not reproduced"
    NO_VERDICT = "no verdict"
    REPRODUCED = "reproduced"
    MEASURED = "measured"
    NO_RESULT = "no result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The change of a network's top-1 error under another pipeline.

    Attributes:
        pipeline: the other one, with the interpolation where it is not the usual one.
        usual: the one that it is compared with.
        points: its error minus that under the usual one, in points.
        images: how many more are wrong.
    """

    pipeline: str
    usual: str
    points: Fraction
    images: int

    @property
    def text(self) -> str:
        """Return the comparison with the usual pipeline in words."""
        if not self.images:
            return f"the same as under {self.usual}"
        return f"{difference(self.points, self.images)} that under {self.usual}"


def shifts(group: NetworkGroup) -> Iterator[Shift]:
    """Yield the shift of each pipeline but one: the original's, or else the first."""
    by_pipeline = {result.run.pixels: result.counts for result in group.results}
    usual = Pipeline.TORCH7.value if Pipeline.TORCH7 in by_pipeline else next(iter(by_pipeline))
    own = by_pipeline.pop(usual)
    for pipeline, counts in by_pipeline.items():
        if own.images == counts.images > 0:
            more = own.top1_correct - counts.top1_correct
            points = Fraction(100 * more, own.images)
            yield Shift(pipeline=pipeline, usual=usual, points=points, images=more)


def exit_code(report: Report) -> int:
    """Return the exit code: 2 if images or the output failed, 1 if a claim did, else 0."""
    if report.decisions.failures or report.lost:
        return 2
    return 1 if report.claim_failed or (report.strict and open_claims(report)) else 0


def exit_meaning(report: Report) -> str:
    """Return the meaning of the exit code in words."""
    judged = any(each.verdict in DECIDED for result in report.results for each in result.judgements)
    match exit_code(report):
        case 0:
            return "every claim that was judged holds" if judged else "no claim was judged"
        case 1 if report.claim_failed:
            return "a claim that was judged does not hold"
        case 1:
            return "a claim has no verdict, which --strict does not let pass"
        case _ if report.decisions.failures:
            return "images could not be read, so the set is not whole"
        case _:
            return f"not all results could be written: {report.lost}"


def outcome(report: Report) -> Outcome:
    """Return the overall outcome, which is that of the worst result."""
    verdicts = {each.verdict for result in report.results for each in result.judgements}
    if report.decisions.failures:
        return Outcome.INCOMPLETE
    for verdict in (Verdict.NOT_REPRODUCED, Verdict.NO_VERDICT, Verdict.REPRODUCED):
        if verdict in verdicts:
            return Outcome(verdict.value)
    return Outcome.MEASURED


def headline(report: Report) -> str:
    """Return a few short sentences that sum up the report."""
    return " ".join(sentences(report))


def sentences(report: Report) -> tuple[str, ...]:
    """Return the sentences of the headline, the one that decides the outcome first."""
    failed = len(report.decisions.failures)
    groups = grouped(report.results)
    return (
        *([f"Incomplete: {number(failed, 'image')} could not be read."] if failed else []),
        _claims_text(
            [each for result in report.results for each in result.judgements],
            others=[each for group in groups for each in group.unjudged()],
        ),
        *_replaced_text(groups),
        *(f"{printable(each.text)}." for each in report.trained_on if each.trained),
        *_shifts_text([shift for group in groups for shift in shifts(group)]),
    )


def remarks(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the remarks on results beyond their verdicts, one sentence each."""
    return tuple(
        f"{printable(group.title)}: {text}"
        for group in grouped(results)
        for text in group_remarks(group)
    )


def group_remarks(group: NetworkGroup) -> Iterator[str]:
    """Yield the remarks on a network, without its name."""
    for result in group.results:
        where = f"{result.run.pixels}: " if group.told else ""
        texts = [*map(remark, result.judgements), *result.diagnoses, changed_text(result)]
        yield from (f"{where}{text}" for text in texts if text)
    yield from (f"top-1 error under {shift.pipeline} is {shift.text}" for shift in shifts(group))
    unjudged = group.unjudged()
    if unjudged and not any(result.judgements for result in group.results):
        yield f"nothing judged: {_made_otherwise(unjudged)}"
    for each in unjudged:
        claim = claim_text(each.claim)
        yield f"{claim} is not judged: it was measured with {each.protocol}"


def remark(judged: Judgement) -> str:
    """Return the reason for a verdict; "" for a claim that was reproduced."""
    claim = judged.claim
    measured = f"{LABELS[claim.metric]} error {percent(judged.measured)}"
    if judged.verdict is Verdict.NOT_REPRODUCED:
        distance = difference(judged.points, judged.excess)
        return f"{measured} is {distance} the {claim.value} of {printable(claim.printed)}"
    if judged.verdict is Verdict.NO_VERDICT:
        low, high = judged.interval
        if judged.reason:
            return (
                f"{measured} beside the {claim.value} of {printable(claim.printed)}; no verdict: "
                f"{printable(judged.reason)}"
            )
        why = (
            f"{number(judged.images, 'image')} {_were(judged.images)} measured and "
            f"{claim.images:,} claimed"
            if judged.images != claim.images
            else "this is not the whole set with every class"
        )
        return (
            f"{measured} has the 95 % interval {low:.2f} to {high:.2f}, which "
            f"{'holds' if judged.holds else 'does not hold'} the {claim.value} of "
            f"{printable(claim.printed)}; no verdict, as {why}"
        )
    return ""


def difference(points: Fraction, images: int) -> str:
    """Return the difference of two errors in words, in points and in images."""
    side = "above" if points > 0 else "below"
    return f"{abs(float(points)):.2f} points ({number(abs(images), 'image')}) {side}"


def claim_text(claim: Claim) -> str:
    """Return a claim in words."""
    return f"{LABELS[claim.metric]} error {claim.value} ({printable(claim.printed)})"


def changed_text(result: Result) -> str | None:
    """Return how many decisions a faster arithmetic changed; None if that was not compared."""
    if result.changed is None:
        return None
    return (
        f"{result.run.arithmetic} changed the best class of {result.changed.top1} of "
        f"{number(result.changed.images, 'image')} that were decided in fp32 too"
    )


def percent(value: Fraction | float | None) -> str:
    """Return a percentage as it is printed; a dash if nothing was measured."""
    return "-" if value is None else f"{float(value):.2f}"


def shown(value: object) -> str:
    """Return a value of the settings as one line, the words of JSON in lower case."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(each)}" for name, each in value.items())
    return printable(str(value).lower() if isinstance(value, bool | None) else str(value))


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; an ellipsis stands for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def _claims_text(judgements: Sequence[Judgement], *, others: Sequence[Unjudged]) -> str:
    """Return the first sentence: how many of the judged claims hold."""
    verdicts = [each.verdict for each in judgements]
    failed = verdicts.count(Verdict.NOT_REPRODUCED)
    judged = failed + verdicts.count(Verdict.REPRODUCED)
    undecided = verdicts.count(Verdict.NO_VERDICT)
    if not verdicts and others:
        return f"Nothing judged: {_made_otherwise(others)}."
    if not verdicts:
        return "Measured; there is no claim to judge."
    reasons = dict.fromkeys(each.reason for each in judgements if each.reason)
    if not judged and reasons:
        first, *further = map(printable, reasons)
        more = f", and {number(len(further), 'other reason')}" if further else ""
        return f"No verdict on {number(undecided, 'claim')}: {first}{more}."
    if not judged:
        part = all(each.images < each.claim.images for each in judgements)
        of = "a part of the images" if part else "other images than its own"
        return f"No verdict: {number(undecided, 'claim')} measured on {of}."
    rest = f"; no verdict on {undecided} more" if undecided else ""
    if failed:
        return (
            f"Not reproduced: {failed} of {number(judged, 'claim')} {_do(failed)} not hold{rest}."
        )
    holding = HOLDING.get(judged, f"all {judged} claims hold")
    return f"Reproduced: {holding}{rest}."


def _made_otherwise(unjudged: Sequence[Unjudged]) -> str:
    """Return how many claims were made under another protocol, and under which if it is one."""
    ways = {each.protocol for each in unjudged}
    way = f"with {ways.pop()}" if len(ways) == 1 else "in other ways than this"
    return f"{number(len(unjudged), 'claim')} {_were(len(unjudged))} made {way}"


def _replaced_text(groups: Sequence[NetworkGroup]) -> Iterator[str]:
    """Yield a sentence for each network whose claims replace its own preprocessing."""
    for group in groups:
        result = group.results[0]
        if result.replaced is not None:
            changes = result.run.preprocessing.changes(result.replaced)
            yield (
                f"{printable(group.title)} is preprocessed as its claims say, not as the "
                f"checkpoint does: {changes or 'no difference'}."
            )


def _do(count: int) -> str:
    return "does" if count == 1 else "do"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _shifts_text(found: Sequence[Shift]) -> Iterator[str]:
    """Return a sentence for each pipeline on its shift of the networks' top-1 errors."""
    for pipeline, usual in dict.fromkeys((shift.pipeline, shift.usual) for shift in found):
        pair = (pipeline, usual)
        some = sorted(
            (shift for shift in found if (shift.pipeline, shift.usual) == pair),
            key=lambda each: each.points,
        )
        least, most = some[0], some[-1]
        if len(some) == 1:
            yield f"Under {pipeline} the top-1 error is {least.text}."
        elif least.points == most.points:
            yield f"Under {pipeline} every top-1 error is {least.text}."
        else:
            yield (
                f"Under {pipeline} top-1 errors are {_range(least.points, most.points)} "
                f"those under {usual}."
            )


def _range(least: Fraction, most: Fraction) -> str:
    if least >= 0:
        return f"{percent(least)} to {percent(most)} points above"
    if most <= 0:
        return f"{percent(-most)} to {percent(-least)} points below"
    return f"from {percent(-least)} points below to {percent(most)} points above"
