"""report.md: the verdicts first, in GitHub's tables, small enough for a job's summary."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from resnext.pages.markdown import fenced, literal, table
from resnext.terminal.text import number, printable, shortened
from validate.reports.forest import signed
from validate.reports.sentences import (
    LABELS,
    Outcome,
    exit_code,
    exit_meaning,
    headline,
    outcome,
    percent,
    remarks,
    shown,
)
from validate.reports.statistics import Answers, answers
from validate.verdicts.claim_groups import ClaimBlock, ClaimLine, NetworkGroup, grouped
from validate.verdicts.claims import Verdict
from validate.verdicts.results import Report

# GitHub takes 1 MiB for all summaries of a step.
MOST_BYTES: Final = 200_000
# Rows of each list; predictions.csv and report.json hold all.
FAILURES: Final = 20
HARDEST: Final = 5
# A name in a table, in characters.
LONGEST: Final = 200

COLUMNS: Final = (
    "network",
    "error",
    "pipeline",
    "correct",
    "measured %",
    "95 % interval",
    "published %",
    "difference",
    "verdict",
    "source",
)
MARKS: Final = {
    Outcome.REPRODUCED: "\u2705",
    Outcome.NOT_REPRODUCED: "\u274c",
    Outcome.NO_VERDICT: "\u2754",
    Outcome.MEASURED: "\u2139\ufe0f",
    Outcome.INCOMPLETE: "\u26a0\ufe0f",
    Outcome.NO_RESULT: "\u26d4",
}
VERDICTS: Final = {
    Verdict.REPRODUCED: "\u2705 reproduced",
    Verdict.NOT_REPRODUCED: "\u274c **not reproduced**",
    Verdict.NO_VERDICT: "\u2754 no verdict",
}


def to_markdown(report: Report) -> str:
    """Return the report as GitHub's Markdown, of at most `MOST_BYTES` bytes in UTF-8."""
    parts = [
        [f"# {MARKS[outcome(report)]} {literal(headline(report))}"],
        _facts(report),
        _claims(report),
        _list(literal(text) for text in remarks(report.results)),
        _failures(report),
        _forms(report),
        _hardest(report),
        _details(report),
    ]
    return _bounded(["\n".join(part) for part in parts if part])


def _name(text: str) -> str:
    return literal(shortened(text, LONGEST))


def _facts(report: Report) -> list[str]:
    timing, settings = report.timing, report.settings
    parts = [f"{number(len(report.decisions.positions), 'image')} of {_name(report.images.root)}"]
    if len(report.decisions.positions) < len(report.images):
        parts[0] += f" (a sample of {len(report.images):,})"
    if timing.images:
        parts.append(f"{timing.images_per_second:,.1f} images/s")
    parts += [_name(str(settings[key])) for key in ("device", "precision") if key in settings]
    code = f"exit code {exit_code(report)}: {exit_meaning(report)}"
    return [f"{', '.join(parts)}; {code}"]


def _claims(report: Report) -> list[str]:
    rows = [
        _row(group, block, line)
        for group in grouped(report.results)
        for block in group.blocks()
        for line in block.lines
    ]
    return table(COLUMNS, rows, right=(3, 4, 5, 6, 7))


def _row(group: NetworkGroup, block: ClaimBlock, line: ClaimLine) -> tuple[str, ...]:
    low, high = line.interval or (None, None)
    off = ""
    if line.points is not None and line.excess is not None:
        off = f"{signed(line.points, 2)} ({signed(line.excess, 0)})"
    verdict = VERDICTS[line.verdict] if line.verdict else ""
    if line.claim and not line.verdict:
        verdict = "compared"
    return (
        _name(group.title),
        LABELS[line.metric],
        line.result.run.pixels,
        f"{line.images - line.wrong:,}/{line.images:,}",
        percent(line.error),
        f"{percent(low)} to {percent(high)}",
        block.claim.value if block.claim else "",
        off,
        verdict,
        _name(block.claim.printed) if block.claim else "",
    )


def _failures(report: Report) -> list[str]:
    failures = sorted(report.decisions.failures.items())
    if not failures:
        return []
    lines = [f"## {number(len(failures), 'image')} could not be read", ""]
    lines += _list(_name(reason) for _, reason in failures[:FAILURES])
    if len(failures) > FAILURES:
        lines.append(f"- and {len(failures) - FAILURES:,} more, in report.json")
    return lines


def _forms(report: Report) -> list[str]:
    counted = [f"{count:,} {_name(form)}" for form, count in sorted(report.forms.items())]
    return [f"Not ordinary RGB: {', '.join(counted)}."] if counted else []


def _hardest(report: Report) -> list[str]:
    found = answers(report)
    rows = [row for group in grouped(report.results) for row in _hardest_of(report, found, group)]
    if not rows:
        return []
    headers = ("network", "class", "wrong", "most often taken for")
    return ["## Hardest classes", "", *table(headers, rows, right=(2,))]


def _hardest_of(report: Report, found: Answers, group: NetworkGroup) -> Iterator[tuple[str, ...]]:
    """Yield a row for each of the classes that the first run of a group gets wrong most often."""
    first = found.top_one(group.places[0])
    counts = first.counts()
    for label in counts.hardest()[:HARDEST]:
        if counts.wrong[label]:
            taken = first.mistaken_for(int(label), most=2)
            yield (
                _name(group.title),
                _class_name(report, int(label)),
                f"{counts.wrong[label]:,}/{counts.images[label]:,}",
                ", ".join(f"{_class_name(report, other)} ({count})" for other, count in taken),
            )


def _class_name(report: Report, label: int) -> str:
    return _name(report.classes[label]) if report.classes is not None else f"class {label}"


def _details(report: Report) -> list[str]:
    weights = [
        (
            _name(run.checkpoint),
            run.pixels,
            run.weights_sha256,
            _name(run.preprocessing.describe()),
        )
        for run in (result.run for result in report.results)
    ]
    facts = [*report.settings.items(), *report.versions.items()]
    notes = _list(_name(note) for note in report.notes)
    return [
        "<details><summary>How it was measured</summary>",
        "",
        *fenced(printable(report.command)),
        "",
        *table(("checkpoint", "pipeline", "sha256 of the weights", "preprocessing"), weights),
        "",
        *table(("", ""), [(_name(key), _name(shown(value))) for key, value in facts]),
        "",
        *_timeline(report),
        *notes,
        *([""] if notes else []),
        "</details>",
    ]


def _timeline(report: Report) -> list[str]:
    reached = report.timeline.reached
    times = (f"{step} {seconds:.2f}" for step, seconds in reached.items())
    return [f"Seconds from the start of the process: {', '.join(times)}.", ""] if reached else []


def _list(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _bounded(parts: Sequence[str]) -> str:
    """Join the parts; those beyond the size limit are left out, with a note."""
    kept, room = [], MOST_BYTES
    for part in parts:
        size = len(part.encode()) + 2
        kept.append(part if size <= room else "*A part that is too long is in report.json.*")
        room -= size if size <= room else 50
    return "\n\n".join(kept) + "\n"
