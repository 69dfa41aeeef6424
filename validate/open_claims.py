"""Claims that a report leaves open: what `--strict` does not let pass."""

from collections.abc import Iterator

from resnext.text import number, printable
from validate.claims import Verdict
from validate.comparison import grouped
from validate.results import Report


def open_claims(report: Report) -> tuple[str, ...]:
    """Return a sentence for each network and each row of claims without a verdict.

    A claim of another protocol, such as ten crops, is not missed where others were judged.
    """
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    for group in grouped(report.results):
        judged = [each for result in group.results for each in result.judgements]
        undecided = [each for each in judged if each.verdict is Verdict.NO_VERDICT]
        if not judged:
            yield f"{printable(group.title)}: no claim was judged"
        elif undecided:
            yield f"{printable(group.title)}: no verdict on {number(len(undecided), 'claim')}"
    for name in report.missing:
        yield f"{printable(name)}: no checkpoint that its claims apply to was measured"
