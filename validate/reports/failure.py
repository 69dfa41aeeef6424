"""A run without results as reports, so that nobody takes an earlier run's for its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from resnext.pages.markdown import fenced, literal
from resnext.terminal.text import printable
from validate.reports.json_report import FORMAT
from validate.reports.junit import add_properties, to_document
from validate.reports.markdown import MARKS
from validate.reports.sentences import Outcome

EXIT_CODE: Final = 2
MEANING: Final = "nothing could be measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A run that ended before there was anything to report.

    Attributes:
        reason: why, in one line.
        command: as it was typed.
        notes: what was said before, a sentence each.
        versions: package -> version.
    """

    reason: str
    command: str
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str]

    @property
    def summary(self) -> str:
        """Return the headline."""
        return f"No result: {self.reason}"


def to_failed_json(run: FailedRun) -> str:
    """Return the JSON object of report.json, in which all that was measured is empty or null."""
    fields = {
        "format": FORMAT,
        "outcome": Outcome.NO_RESULT,
        "summary": run.summary,
        "exit_code": EXIT_CODE,
        "exit_meaning": MEANING,
        "error": run.reason,
        "results": [],
        "pipelines_compared": [],
        "open": [],
        "notes": list(run.notes),
        "trained_on": [],
        "failures": [],
        "forms": {},
        "images": None,
        "timing": None,
        "settings": {},
        "versions": dict(run.versions),
        "command": run.command,
    }
    return json.dumps(fields, indent=2) + "\n"


def to_failed_markdown(run: FailedRun) -> str:
    """Return GitHub's Markdown: the reason, what was said before it, and the command."""
    parts = [
        f"# {MARKS[Outcome.NO_RESULT]} {literal(run.summary)}",
        f"Exit code {EXIT_CODE}: {MEANING}.",
        "\n".join(f"- {literal(note)}" for note in run.notes),
        "\n".join(fenced(printable(run.command))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_failed_junit(run: FailedRun) -> str:
    """Return the XML of a suite of one case, which is an error."""
    root = ET.Element("testsuites", name="resnext-validate")
    suite = ET.SubElement(root, "testsuite", name="measurement")
    versions = {f"version.{package}": value for package, value in run.versions.items()}
    facts = {"command": run.command, "exit_code": EXIT_CODE, "exit_meaning": MEANING}
    add_properties(suite, {**facts, **versions})
    case = ET.SubElement(
        suite, "testcase", classname="measurement", name="there is something to report"
    )
    reason = printable(run.reason)
    ET.SubElement(case, "error", message=reason, type=Outcome.NO_RESULT).text = reason
    if run.notes:
        ET.SubElement(suite, "system-out").text = "\n".join(map(printable, run.notes))
    return to_document(root, seconds=0.0)
