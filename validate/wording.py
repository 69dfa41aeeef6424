"""What a measurement says, in the sentences that every report shares."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final

from resnext.published import Claim, Metric
from validate.claims import Judgement, Verdict
from validate.comparison import Group, grouped
from validate.pipelines import Pipeline
from validate.results import Report, Result

LABELS: Final = {Metric.TOP1_ERROR: "top-1", Metric.TOP5_ERROR: "top-5"}

# What each exit code of the command says of a report.
EXIT_MEANINGS: Final = {
    0: "every claim that was judged holds",
    1: "a claim that was judged does not hold",
    2: "images could not be read, so the set is not whole",
}

HOLDING: Final = {1: "the claim holds", 2: "both claims hold"}

# Control characters, which would end a line or colour a terminal, and what XML cannot hold.
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


class Outcome(StrEnum):
    """What a whole report comes to."""

    INCOMPLETE = "incomplete"
    NOT_REPRODUCED = "not reproduced"
    NO_VERDICT = "no verdict"
    REPRODUCED = "reproduced"
    MEASURED = "measured"


def exit_code(report: Report) -> int:
    """Return what the command ends with: 2 for images that failed, 1 for a claim that did."""
    if report.decisions.failures:
        return 2
    return 1 if report.claim_failed else 0


def outcome(report: Report) -> Outcome:
    """Return what the report comes to; the worst that was found decides."""
    verdicts = {each.verdict for result in report.results for each in result.judgements}
    if report.decisions.failures:
        return Outcome.INCOMPLETE
    for verdict in (Verdict.NOT_REPRODUCED, Verdict.NO_VERDICT, Verdict.REPRODUCED):
        if verdict in verdicts:
            return Outcome(verdict.value)
    return Outcome.MEASURED


def headline(report: Report) -> str:
    """Say in a few short sentences what the report comes to."""
    sentences = [_claims_text([each for result in report.results for each in result.judgements])]
    if differences := [text for group in grouped(report.results) for text in _shifts(group)]:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        sentences.append(f"{differences[0]}{more}.")
    if failed := len(report.decisions.failures):
        sentences.append(f"{number(failed, 'image')} could not be read.")
    return " ".join(sentences)


def remarks(results: Sequence[Result]) -> tuple[str, ...]:
    """Return a sentence for whatever there is to say about results beyond their verdicts."""
    return tuple(text for group in grouped(results) for text in _remarks(group))


def remark(judged: Judgement) -> str:
    """Say what stands behind a verdict; nothing about a claim that was reproduced."""
    claim = judged.claim
    measured = f"{LABELS[claim.metric]} error {percent(judged.measured)}"
    if judged.verdict is Verdict.NOT_REPRODUCED:
        distance = difference(judged.points, judged.excess)
        return f"{measured} is {distance} the {claim.value} of {printable(claim.source)}"
    if judged.verdict is Verdict.NO_VERDICT:
        low, high = judged.interval
        why = (
            f"{judged.images} images were measured and {claim.images} claimed"
            if judged.images != claim.images
            else "this is not the whole set with every class"
        )
        return (
            f"{measured} has the 95 % interval {low:.2f} to {high:.2f}, which "
            f"{'holds' if judged.holds else 'does not hold'} the {claim.value} of "
            f"{printable(claim.source)}; no verdict, as {why}"
        )
    return ""


def difference(points: Fraction, images: int) -> str:
    """Say how far one error lies from another, in points and in images."""
    side = "above" if points > 0 else "below"
    return f"{abs(float(points)):.2f} points ({number(abs(images), 'image')}) {side}"


def claim_text(claim: Claim) -> str:
    """Name a claim in words."""
    return f"{LABELS[claim.metric]} error {claim.value} ({printable(claim.source)})"


def changed_text(result: Result) -> str | None:
    """Say what a faster precision changed; None where nobody compared."""
    if result.changed is None:
        return None
    return (
        f"{result.run.precision} changed the best class of {result.changed.top1} of "
        f"{number(result.changed.images, 'image')} that were decided in fp32 too"
    )


def percent(value: Fraction | float | None) -> str:
    """Return a percentage as it is printed; a dash where nothing was measured."""
    return "-" if value is None else f"{float(value):.2f}"


def number(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it is not one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def printable(text: str) -> str:
    """Return a text from a file, or the name of one, as one line that UTF-8 and XML can hold."""
    shown = UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    return shown.encode("utf-8", "backslashreplace").decode()


def _claims_text(judgements: Sequence[Judgement]) -> str:
    """Say how many claims hold: the first sentence of all."""
    verdicts = [each.verdict for each in judgements]
    failed = verdicts.count(Verdict.NOT_REPRODUCED)
    judged = failed + verdicts.count(Verdict.REPRODUCED)
    undecided = verdicts.count(Verdict.NO_VERDICT)
    if not verdicts:
        return "Measured; there is no claim to judge."
    if not judged:
        return f"No verdict: {number(undecided, 'claim')} measured on a part of the images."
    rest = f"; no verdict on {undecided} more" if undecided else ""
    if failed:
        return (
            f"Not reproduced: {failed} of {number(judged, 'claim')} {_do(failed)} not hold{rest}."
        )
    holding = HOLDING.get(judged, f"all {judged} claims hold")
    return f"Reproduced: {holding}{rest}."


def _do(count: int) -> str:
    return "does" if count == 1 else "do"


def _shifts(group: Group) -> Iterator[str]:
    """Say what another pipeline than the original's does to the top-1 error of a network."""
    by_pipeline = {result.run.pipeline: result.counts for result in group.results}
    own = by_pipeline.pop(Pipeline.TORCH7, None)
    for pipeline, counts in by_pipeline.items():
        if own is not None and own.images == counts.images > 0:
            more = own.top1_correct - counts.top1_correct
            where = f"The top-1 error of {printable(group.title)} under {pipeline}"
            if more:
                distance = difference(Fraction(100 * more, own.images), more)
                yield f"{where} is {distance} that under torch7"
            else:
                yield f"{where} is the same as under torch7"


def _remarks(group: Group) -> Iterator[str]:
    name = printable(group.title)
    for result in group.results:
        where = f"{name}, {result.run.pipeline}" if group.told else name
        texts = [*map(remark, result.judgements), *result.diagnoses, changed_text(result)]
        yield from (f"{where}: {text}" for text in texts if text)
    yield from _shifts(group)
    for each in group.unjudged():
        claim = claim_text(each.claim)
        yield f"{name}: {claim} is not judged: it was measured with {each.protocol}"
