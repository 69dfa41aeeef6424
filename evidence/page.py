"""README.md of this folder, made from its ledgers: published, measured, by whom, on what."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.markdown import table
from evidence.contributions import FOLDER, ROOT, Contribution, read_contributions
from resnext.errors import DataError
from resnext.published import published, read_table
from validate.judging.evidence import Evidence, read_evidence
from validate.judging.report import Asked, judged
from validate.ledger.origin import LedgerRun
from validate.reports.markdown import literal
from validate.reports.sentences import LABELS, percent
from validate.verdicts.claim_groups import ClaimLine, grouped
from validate.verdicts.results import Report

PAGE: Final = "README.md"
MISSING: Final = "# Evidence: nobody has contributed a ledger of the published weights yet"
TITLE: Final = "# Evidence"
LEAD: Final = """\
Every ledger of this folder holds each decision of one measurement, of one checkpoint under one
protocol, and can be judged by anybody in seconds, without a picture and without a checkpoint:

    resnext-judge evidence/NAME.jsonl.gz

This page is made from the ledgers (`python -m evidence`), and a test judges each of them at every
commit. The labels of ImageNet's validation pictures are the project's own; those of other pictures
stand in the ledger. A checksum tells of files that were damaged. That a ledger was measured, and
not invented, is shown by whoever measures it again: the commands are below.
[How to contribute one](../docs/contribute-evidence.md).
"""
HEADER: Final = (
    *("network", "error", "pixels", "arithmetic", "published %", "measured %", "correct"),
    *("verdict", "ledger"),
)
MADE: Final = ("ledger", "by", "on", "date", "made by", "sha256 of the weights", "to repeat it")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedLedger:
    """A contributed ledger with its report."""

    row: Contribution
    evidence: Evidence
    report: Report

    @property
    def is_published(self) -> bool:
        """Tell whether it is about a network of the built-in table, on ImageNet's images."""
        names = {each.name for each in published()}
        return self.evidence.published and self.run.network in names

    @property
    def run(self) -> LedgerRun:
        """Return its run."""
        return self.evidence.origin.runs[0]


def judged_ledgers(folder: Path = FOLDER) -> tuple[JudgedLedger, ...]:
    """Judge every ledger that the list names.

    Raises:
        DataError: a ledger has no checksum, or more than one run.
        ResnextError: one is damaged, or its labels are not the published ones.
        OSError: a file cannot be read.
    """
    return tuple(_judged(row, folder) for row in read_contributions(folder))


def _judged(row: Contribution, folder: Path) -> JudgedLedger:
    path = folder / row.file
    evidence = read_evidence(path)
    seal, runs = evidence.stored.seal, evidence.origin.runs
    if seal is None or not seal.finished:
        raise DataError(f"{path}: a finished ledger with its checksum expected, found none")
    if len(runs) != 1:
        raise DataError(f"{path}: one checkpoint and pipeline expected, found {len(runs)}")
    claims = read_table(ROOT / row.claims) if row.claims else ()
    (report,) = judged([evidence], Asked(own=claims, source=str(row.claims)))
    return JudgedLedger(row=row, evidence=evidence, report=report)


def to_page(ledgers: Sequence[JudgedLedger]) -> str:
    """Return the page."""
    title = TITLE if any(each.is_published for each in ledgers) else MISSING
    parts = [
        title,
        LEAD.rstrip(),
        "## Published and measured",
        table(HEADER, [line for each in ledgers for line in _claim_rows(each)]),
        "## Measured by",
        table(MADE, [_made_row(each) for each in ledgers]),
    ]
    return "\n\n".join(parts) + "\n"


def _claim_rows(each: JudgedLedger) -> Iterator[tuple[str, ...]]:
    for group in grouped(each.report.results):
        run = group.results[0].run
        lines = [line for block in group.blocks() for line in block.lines]
        claimed = [line for line in lines if line.claim is not None]
        judged_already = {line.metric for line in claimed}
        others = [
            ClaimLine(result=group.results[0], metric=unjudged.claim.metric, claim=unjudged.claim)
            for unjudged in group.unjudged()
            if unjudged.claim.crops == run.crops and unjudged.claim.metric not in judged_already
        ]
        for line in [*claimed, *others] or lines:
            yield (
                f"`{literal(run.network)}`",
                f"{LABELS[line.metric]}, {run.crops} crop{'s' * (run.crops > 1)}",
                run.pixels,
                run.arithmetic,
                line.claim.value if line.claim else "",
                percent(line.error),
                f"{line.images - line.wrong:,}/{line.images:,}",
                _verdict(line),
                f"[{literal(each.row.file)}]({each.row.file})",
            )


def _verdict(line: ClaimLine) -> str:
    if line.verdict is not None:
        reasons = [
            judgement.reason
            for judgement in line.result.judgements
            if judgement.claim == line.claim and judgement.reason
        ]
        return f"**{line.verdict}**" + (f": {literal(reasons[0])}" if reasons else "")
    if line.claim is None or line.points is None or line.excess is None:
        return "no claim"
    protocols = [other.protocol for other in line.result.unjudged if other.claim == line.claim]
    return (
        f"compared: published with {literal(protocols[0])}, here {float(line.points):+.2f} points"
        if protocols
        else "compared"
    )


def _made_row(each: JudgedLedger) -> tuple[str, ...]:
    known = each.report.versions
    device = known.get("device", known.get("processor", "not stated"))
    commit = known.get("commit", "")
    return (
        f"[{literal(each.row.file)}]({each.row.file})",
        literal(each.row.by),
        literal(f"{device}, torch {known.get('torch', 'not stated')}"),
        literal(str(known.get("date", "not stated"))),
        literal(f"{known.get('by', 'not stated')}{' at ' + commit[:12] if commit else ''}"),
        f"`{(each.run.weights_sha256 or 'not stated')[:16]}`",
        f"`{command(each)}`",
    )


def command(each: JudgedLedger) -> str:
    """Return the command that measures the same again."""
    row, run = each.row, each.run
    words = ["resnext-validate", "--data", row.data]
    words += ["--claims", row.claims] if row.claims else []
    stated, usual = run.preprocessing, run.usual
    if stated is not None and (usual is None or stated.pipeline != usual.pipeline):
        words += ["--pipeline", str(stated.pipeline)]
    if stated is not None and usual is not None:
        words += ["--scale", str(stated.scale or 0)] if stated.scale != usual.scale else []
        words += ["--crop", str(stated.crop)] if stated.crop != usual.crop else []
    words += ["--crops", str(run.crops)] if run.crops not in (None, 1) else []
    words += ["--precision", run.precision] if run.precision != "fp32" else []
    words += ["--compile"] if run.compiled else []
    device = each.report.settings.get("device")
    words += ["--device", str(device)] if device == "cpu" else []
    return shlex.join([*words, "--ledger", row.file, row.checkpoint or run.network])
