"""Claims that a report leaves open: what `--strict` does not let pass."""

from collections.abc import Iterator

from resnext.terminal.text import number, printable
from validate.verdicts.claims import Verdict
from validate.verdicts.groups import grouped
from validate.verdicts.results import Report


def open_claims(report: Report) -> tuple[str, ...]:
    """Return a sentence for each network and each row whose claims are not all decided.

    Of the published table, which has claims of one crop and of ten, one judged claim is enough; of
    the user's own every claim is asked for.
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
        elif group.results[0].run.network in report.own and (others := group.unjudged()):
            yield f"{printable(group.title)}: {number(len(others), 'claim')} not judged"
    for name in report.missing:
        yield f"{printable(name)}: no checkpoint that its claims apply to was measured"
