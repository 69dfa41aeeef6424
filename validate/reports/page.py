"""report.html: a measurement as one page."""

from pathlib import Path
from typing import Final

from resnext.pages.frame import render_page
from resnext.terminal.text import number, printable, shortened
from validate.reports.classes import all_classes, network_classes
from validate.reports.forest import VERDICT_MARKS, forest
from validate.reports.mistakes import galleries
from validate.reports.sentences import (
    exit_code,
    exit_meaning,
    outcome,
    sentences,
    shown,
)
from validate.reports.statistics import answers
from validate.verdicts.claim_groups import grouped
from validate.verdicts.results import Report

TEMPLATE: Final = Path(__file__).with_name("report.html")
# Unreadable images that are listed, and characters of the reason; report.json has all of them.
FAILURES: Final = 100
LONGEST: Final = 400


def to_page(report: Report) -> str:
    """Return the page: HTML that holds its style, script and pictures, and loads nothing."""
    found = answers(report)
    groups = grouped(report.results)
    failures = sorted(report.decisions.failures.items())
    return render_page(
        TEMPLATE,
        report=report,
        outcome=outcome(report),
        sentences=sentences(report),
        chips=_chips(report),
        exit_code=exit_code(report),
        exit_meaning=exit_meaning(report),
        forests=[forest(group, found) for group in groups],
        classes=[network_classes(report, found, group) for group in groups],
        all_classes=all_classes(report, found),
        galleries=galleries(report, found, groups),
        pipelines=tuple(dict.fromkeys(each.run.pixels for each in report.results)),
        verdict_marks=VERDICT_MARKS,
        failure_title=f"{number(len(failures), 'image')} could not be read",
        failures=[printable(shortened(reason, LONGEST)) for _, reason in failures[:FAILURES]],
        failures_left=max(len(failures) - FAILURES, 0),
        times=_times(report),
        shown=shown,
    )


def _chips(report: Report) -> list[str]:
    """Return the facts below the headline: images, speed, device and precision."""
    measured, whole = len(report.decisions.positions), len(report.images)
    sample = f", a sample of {whole:,}" if measured < whole else ""
    chips = [f"{number(measured, 'image')} of {printable(report.images.root)}{sample}"]
    if report.timing.images:
        chips.append(f"{report.timing.images_per_second:,.1f} images/s")
    chips += [
        shown(report.settings[key]) for key in ("device", "precision") if key in report.settings
    ]
    return chips


def _times(report: Report) -> list[dict[str, object]]:
    """Return the seconds of each part of the work; the bar of the longest is 100 percent wide."""
    timing = report.timing
    rows = {
        "reading": timing.reading,
        "decoding": timing.decoding,
        "preparing": timing.preparing,
        "network": timing.network,
    }
    longest = max(rows.values())
    return [
        {
            "name": name,
            "seconds": f"{seconds:,.1f}",
            "each": f"{1000 * seconds / timing.images:.2f}" if timing.images else "-",
            "share": round(100 * seconds / longest, 1) if longest else 0,
        }
        for name, seconds in rows.items()
    ]
