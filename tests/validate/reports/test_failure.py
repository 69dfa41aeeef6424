"""The reports of a run without results."""

import json
from xml.etree import ElementTree as ET

from tests.support.sample_report import sample_report
from validate.reports import FailedRun, to_json
from validate.reports.failure import to_failed_json, to_failed_junit, to_failed_markdown

RUN = FailedRun(
    reason="no/where: no such file or folder <b>|`\x1b[31m\udcff",
    command="resnext-validate --data no/where",
    notes=("n.t7: preprocessing *assumed*",),
    versions={"resnext": "1.2"},
)


def test_json_has_the_reason_and_every_field_of_a_report() -> None:
    fields = json.loads(to_failed_json(RUN))
    assert fields == {
        "format": 2,
        "outcome": "no result",
        "summary": f"No result: {RUN.reason}",
        "exit_code": 2,
        "exit_meaning": "nothing could be measured",
        "error": RUN.reason,
        "results": [],
        "pipelines_compared": [],
        "open": [],
        "notes": ["n.t7: preprocessing *assumed*"],
        "trained_on": [],
        "failures": [],
        "forms": {},
        "images": None,
        "timing": None,
        "settings": {},
        "versions": {"resnext": "1.2"},
        "command": "resnext-validate --data no/where",
    }
    assert set(to_json(sample_report())) == set(fields) - {"error"}


def test_markdown_begins_with_the_reason() -> None:
    assert to_failed_markdown(RUN) == (
        "# ⛔ No result: no/where: no such file or folder "
        "&#60;b&#62;&#124;&#96;&#92;x1b&#91;31m&#92;udcff\n\n"
        "Exit code 2: nothing could be measured.\n\n"
        "- n.t7: preprocessing &#42;assumed&#42;\n\n"
        "```\nresnext-validate --data no/where\n```\n"
    )


def test_junit_has_one_case_which_is_an_error() -> None:
    root = ET.fromstring(to_failed_junit(RUN))  # noqa: S314 - our own text
    assert {name: root.get(name) for name in ("tests", "errors", "failures", "skipped")} == {
        "tests": "1",
        "errors": "1",
        "failures": "0",
        "skipped": "0",
    }
    (case,) = root.iter("testcase")
    (error,) = case
    assert error.tag == "error"
    assert error.get("message") == r"no/where: no such file or folder <b>|`\x1b[31m\udcff"
    properties = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert properties["exit_code"] == "2"
    assert properties["command"] == "resnext-validate --data no/where"
    assert root.findtext(".//system-out") == "n.t7: preprocessing *assumed*"
