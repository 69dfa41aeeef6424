"""Results as a table for people and as an object for JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from rich.text import Text

from resnext.preprocessing import Preprocessing
from resnext.published import Metric
from validate.claims import Judgement, Unjudged, Verdict
from validate.metrics import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of one checkpoint, and what that says of its claims.

    Attributes:
        checkpoint: its file, as it was given.
        network: its name.
        preprocessing: what the images went through.
        counts: of one image or more.
        judgements: of the claims made under this protocol.
        unjudged: the other claims.
    """

    checkpoint: str
    network: str
    preprocessing: Preprocessing
    counts: Counts
    judgements: tuple[Judgement, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def failed(self) -> bool:
        """Tell whether a claim was not reproduced."""
        return any(each.verdict is Verdict.NOT_REPRODUCED for each in self.judgements)


HEADERS: Final = ("network", "correct", "error %", "claim %", "verdict", "source")
NUMBERS: Final = ("correct", "error %", "claim %")
GAP: Final = "  "
LABELS: Final = {Metric.TOP1_ERROR: "top-1", Metric.TOP5_ERROR: "top-5"}
STYLES: Final = {
    Verdict.REPRODUCED: "green",
    Verdict.NOT_REPRODUCED: "bold red",
    Verdict.NO_VERDICT: "yellow",
}


def to_json(results: Sequence[Result]) -> dict[str, object]:
    """Return the results as plain values; percentages are rounded to four decimals."""
    return {"results": [_result_fields(result) for result in results]}


def to_table(results: Sequence[Result]) -> Text:
    """Return the table: below the name of each network a line for each metric and claim.

    Names stand on lines of their own, so that 80 columns are enough whatever their length.
    """
    blocks = [tuple(_rows(result)) for result in results]
    header = tuple(map(Text, HEADERS))
    columns = zip(header, *(row for rows in blocks for row in rows), strict=True)
    widths = [max(cell.cell_len for cell in column) for column in columns]
    names = Counter(result.network for result in results)
    lines = [_line(header, widths), Text("-" * (sum(widths) + len(GAP) * (len(widths) - 1)))]
    for result, rows in zip(results, blocks, strict=True):
        unique = names[result.network] == 1
        name = result.network if unique else f"{result.network} ({result.checkpoint})"
        lines.append(Text(name, style="bold"))
        lines += [_line(row, widths) for row in rows]
    return Text("\n").join(lines)


def to_remarks(results: Sequence[Result]) -> tuple[str, ...]:
    """Return a sentence for each claim about which there is more to say than its verdict."""
    remarks = []
    for result in results:
        remarks += [_remark(result, each) for each in result.judgements]
        remarks += [
            f"{result.network}: {LABELS[each.claim.metric]} error {each.claim.value} "
            f"({each.claim.source}) is not judged: it was measured with {each.protocol}"
            for each in result.unjudged
        ]
    return tuple(remark for remark in remarks if remark)


def _error(metric: Metric, counts: Counts) -> Fraction:
    return 100 * (1 - Fraction(counts.correct(metric), counts.images))


def _rows(result: Result) -> Iterator[tuple[Text, ...]]:
    """Yield the cells of a result's lines, as many as `HEADERS`."""
    for metric, label in LABELS.items():
        correct = f"{result.counts.correct(metric)}/{result.counts.images}"
        measured = (f"  {label}", correct, f"{float(_error(metric, result.counts)):.2f}")
        judgements = [each for each in result.judgements if each.claim.metric is metric]
        for each in judgements:
            verdict = Text(each.verdict, style=STYLES[each.verdict])
            yield (*map(Text, (*measured, each.claim.value)), verdict, Text(each.claim.source))
        if not judgements:
            yield tuple(map(Text, (*measured, "", "", "")))


def _line(cells: Iterable[Text], widths: Iterable[int]) -> Text:
    """Return one line of the table, numbers to the right of their columns."""
    aligned = []
    for header, cell, width in zip(HEADERS, cells, widths, strict=True):
        cell.align("right" if header in NUMBERS else "left", width)
        aligned.append(cell)
    line = Text(GAP).join(aligned)
    line.rstrip()
    return line


def _remark(result: Result, judged: Judgement) -> str:
    claim = judged.claim
    where = f"{result.network}: {LABELS[claim.metric]} error {float(judged.measured):.2f}"
    if judged.verdict is Verdict.NOT_REPRODUCED:
        side = "above" if judged.points > 0 else "below"
        return (
            f"{where} is {abs(float(judged.points)):.2f} points ({abs(judged.excess)} images) "
            f"{side} the {claim.value} of {claim.source}"
        )
    if judged.verdict is Verdict.NO_VERDICT:
        low, high = judged.interval
        return (
            f"{where} has the 95 % interval {low:.2f} to {high:.2f}, which "
            f"{'holds' if judged.holds else 'does not hold'} the {claim.value} of {claim.source}; "
            f"no verdict, as {judged.images} images were measured and {claim.images} claimed"
        )
    return ""


def _result_fields(result: Result) -> dict[str, object]:
    counts = result.counts
    return {
        "checkpoint": result.checkpoint,
        "network": result.network,
        "images": counts.images,
        "top1_correct": counts.top1_correct,
        "top5_correct": counts.top5_correct,
        "top1_error": _percent(_error(Metric.TOP1_ERROR, counts)),
        "top5_error": _percent(_error(Metric.TOP5_ERROR, counts)),
        "preprocessing": result.preprocessing.to_fields(),
        "claims": [_claim_fields(judged) for judged in result.judgements],
    }


def _claim_fields(judged: Judgement) -> dict[str, object]:
    fields: dict[str, object] = {
        "source": judged.claim.source,
        "metric": judged.claim.metric,
        "published": judged.claim.value,
        "measured": _percent(judged.measured),
        "verdict": judged.verdict,
    }
    if judged.verdict is Verdict.NOT_REPRODUCED:
        fields |= {
            "difference_points": _percent(judged.points),
            "difference_images": judged.excess,
        }
    if judged.verdict is Verdict.NO_VERDICT:
        interval = [round(bound, 4) for bound in judged.interval]
        fields |= {"interval": interval, "interval_holds": judged.holds}
    return fields


def _percent(exact: Fraction) -> float:
    return float(round(exact, 4))
