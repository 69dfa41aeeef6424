"""README.md of this folder, made from its ledgers: published, measured, by whom, on what."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from benchmarks.markdown import table
from evidence.contributions import FOLDER, ROOT, Contribution, read_contributions
from resnext.errors import DataError
from resnext.images.imagenet import VALIDATION_IMAGES
from resnext.preprocessing import Pipeline
from resnext.published import published, read_table
from resnext.terminal.text import number, printable
from validate.judging.applied import applied
from validate.judging.evidence import Evidence, read_evidence
from validate.judging.report import Asked, judged
from validate.ledger.origin import LedgerRun
from validate.reports.markdown import literal
from validate.reports.sentences import LABELS, percent
from validate.verdicts.claim_groups import ClaimLine
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
    *("ledger", "network", "error", "pixels", "arithmetic", "published %", "measured %"),
    *("correct", "verdict"),
)
MADE: Final = ("ledger", "by", "on", "date", "version", "sha256 of the weights")
# The order of the page: the original's pixels and plain arithmetic first.
PIXELS: Final = tuple(Pipeline)
PRECISIONS: Final = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedLedger:
    """A contributed ledger with its report, and why no claim can be judged by it."""

    row: Contribution
    evidence: Evidence
    report: Report
    doubts: tuple[str, ...]

    @property
    def is_published(self) -> bool:
        """Tell whether all of ImageNet's images were decided by a network of the built-in table.

        A ledger that holds a part of them, or of which there is a doubt, is none.
        """
        if self.run.network not in {each.name for each in published()}:
            return False
        whole = self.evidence.whole and len(self.evidence.entries) == VALIDATION_IMAGES
        return self.evidence.published and whole and not self.doubts

    @property
    def run(self) -> LedgerRun:
        """Return its run."""
        return self.evidence.origin.runs[0]


def judged_ledgers(folder: Path = FOLDER) -> tuple[JudgedLedger, ...]:
    """Judge every ledger that the list names.

    Raises:
        DataError: a ledger has no checksum, more than one run, or does not state its weights and
            preprocessing.
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
    if runs[0].weights_sha256 is None or runs[0].preprocessing is None:
        raise DataError(
            f"{path}: the sha256 of the weights and the preprocessing expected in line 1, found "
            "one of them missing; measure with resnext-validate --ledger"
        )
    claims = read_table(ROOT / row.claims) if row.claims else ()
    (report,) = judged([evidence], Asked(own=claims, source=str(row.claims)))
    doubts = applied(evidence, runs[0], claims).doubts
    return JudgedLedger(row=row, evidence=evidence, report=report, doubts=doubts)


def to_page(ledgers: Sequence[JudgedLedger]) -> str:
    """Return the page."""
    title = TITLE if any(each.is_published for each in ledgers) else MISSING
    rows = [*enumerate(sorted(ledgers, key=_order), 1)]
    parts = [
        title,
        LEAD.rstrip(),
        "## Published and measured",
        table(HEADER, [line for place, each in rows for line in _claim_rows(place, each)]),
        "## Measured by",
        table(MADE, [_made_row(place, each) for place, each in rows]),
        "## To repeat it",
        "\n".join(f"{place}. {_code(command(each))}" for place, each in rows),
    ]
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    """Return a text of one line as Markdown's code, whatever it holds."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{printable(text)}{fence}"


def _order(each: JudgedLedger) -> tuple[object, ...]:
    run = each.run
    return (
        not each.is_published,
        run.network,
        PIXELS.index(Pipeline(run.pipeline)),
        run.crops or 1,
        PRECISIONS.index(run.precision) if run.precision in PRECISIONS else len(PRECISIONS),
        each.row.file,
    )


def _link(place: int, each: JudgedLedger) -> str:
    return f"[{place}]({quote(each.row.file)})"


def _claim_rows(place: int, each: JudgedLedger) -> Iterator[tuple[str, ...]]:
    """Yield a row for each claim of a ledger's network, or for each error where there is none."""
    (result,) = each.report.results
    run = result.run
    same = (unjudged.claim for unjudged in result.unjudged if unjudged.claim.crops == run.crops)
    claims = dict.fromkeys([*(judged.claim for judged in result.judgements), *same])
    lines = [ClaimLine(result=result, metric=claim.metric, claim=claim) for claim in claims]
    for line in lines or [ClaimLine(result=result, metric=metric) for metric in result.told]:
        yield (
            _link(place, each),
            f"`{literal(run.network)}`",
            f"{LABELS[line.metric]}, {number(run.crops, 'crop')}",
            literal(run.pixels),
            literal(run.arithmetic),
            line.claim.value if line.claim else "",
            percent(line.error),
            f"{line.images - line.wrong:,}/{line.images:,}",
            _verdict(line, each.doubts),
        )


def _verdict(line: ClaimLine, doubts: Sequence[str]) -> str:
    for judgement in line.result.judgements:
        if judgement.claim == line.claim:
            reason, of = judgement.reason, judgement.claim.images
            if judgement.images != of:
                reason = reason or f"{judgement.images:,} images, {of:,} claimed"
            return f"**{judgement.verdict}**{': ' if reason else ''}{literal(reason)}"
    for unjudged in line.result.unjudged:
        if unjudged.claim == line.claim and line.points is not None:
            off = f"{float(line.points):+.2f}"
            points = "as printed" if off[1:] == "0.00" else f"{off} points"
            reasons = "; ".join([f"published with {unjudged.protocol}", *doubts])
            return f"compared, {points}: {literal(reasons)}"
    return "no claim"


def _made_row(place: int, each: JudgedLedger) -> tuple[str, ...]:
    known = each.report.versions
    device = known.get("device", known.get("processor", "not stated"))
    commit = known.get("commit", "")
    return (
        _link(place, each),
        literal(each.row.by),
        literal(f"{device}, torch {known.get('torch', 'not stated')}"),
        literal(str(known.get("date", "not stated"))),
        literal(f"{known.get('by', 'not stated')}{' at ' + commit[:12] if commit else ''}"),
        f"`{(each.run.weights_sha256 or 'not stated')[:16]}`",
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
