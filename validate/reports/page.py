"""report.html: one page that holds all it needs, for people."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from resnext.terminal.text import number, printable
from validate.reports.classes import class_rows, classes_view
from validate.reports.forest import VERDICT_MARKS, forest
from validate.reports.mistakes import galleries
from validate.reports.statistics import answers
from validate.reports.wording import (
    cut,
    exit_code,
    exit_meaning,
    outcome,
    percent,
    sentences,
    shown,
)
from validate.verdicts.groups import grouped
from validate.verdicts.results import Report

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: Final = Path(__file__).parent
# Unreadable images that are listed; report.json names all of them.
FAILURES: Final = 100
LONGEST: Final = 400


def to_page(report: Report) -> str:
    """Return the page: HTML with style, script and pictures in it, which loads nothing."""
    found = answers(report)
    groups = grouped(report.results)
    failures = sorted(report.decisions.failures.items())
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            outcome=outcome(report),
            sentences=sentences(report),
            chips=_chips(report),
            exit_code=exit_code(report),
            exit_meaning=exit_meaning(report),
            forests=[forest(group, found) for group in groups],
            classes=[classes_view(report, found, group) for group in groups],
            class_rows=class_rows(report, found),
            galleries=galleries(report, found, groups),
            pipelines=tuple(dict.fromkeys(each.run.pipeline for each in report.results)),
            verdict_marks=VERDICT_MARKS,
            failure_title=f"{number(len(failures), 'image')} could not be read",
            failures=[printable(cut(reason, LONGEST)) for _, reason in failures[:FAILURES]],
            failures_left=max(len(failures) - FAILURES, 0),
            times=_times(report),
        )
    )


def _chips(report: Report) -> list[str]:
    """Return the few facts that stand below the headline."""
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
    """Return where the seconds went, the longest as 100 percent."""
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


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "printable": printable, "shown": shown}
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        # These two are files of this package, not data.
        "style": Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "script_digest": digest,
    }
    return environment
