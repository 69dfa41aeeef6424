"""junit.xml: a test case for each claim, as CI systems show them."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from resnext.published import Claim
from resnext.terminal.text import number, printable
from validate.reports.sentences import exit_code, exit_meaning, remark, shown
from validate.verdicts.claim_groups import NetworkGroup, grouped, open_claims
from validate.verdicts.claims import Judgement, Verdict
from validate.verdicts.results import Report, Result


def to_junit(report: Report) -> str:
    """Return the report as the XML that readers of JUnit files have in common.

    A claim that was not reproduced is a failure, one without a verdict is skipped, with the reason
    in its message; images that could not be read are an error of a case of their own, and claims
    that are left open a failure of one where that is not let pass.
    """
    root = ET.Element("testsuites", name="resnext-validate")
    _images_suite(root, report)
    for group in grouped(report.results):
        _suite(root, group)
    return to_document(root, seconds=report.timing.wall)


def to_document(root: ET.Element, *, seconds: float) -> str:
    """Return the text of a document whose suites are complete, with the counts of their cases.

    Args:
        root: of its suites; takes the counts.
        seconds: that it all took.
    """
    for suite in root:
        _count(suite)
    _count(root)
    root.set("time", f"{seconds:.3f}")
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _images_suite(root: ET.Element, report: Report) -> None:
    suite = ET.SubElement(root, "testsuite", name="images")
    versions = {f"version.{name}": value for name, value in report.versions.items()}
    code = {"exit_code": exit_code(report), "exit_meaning": exit_meaning(report)}
    add_properties(suite, {"command": report.command, **code, **report.settings, **versions})
    case = ET.SubElement(suite, "testcase", classname="images", name="every image can be read")
    if failures := report.decisions.failures:
        message = f"{number(len(failures), 'image')} could not be read"
        error = ET.SubElement(case, "error", message=message, type="unreadable")
        error.text = "\n".join(printable(reason) for _, reason in sorted(failures.items()))
    if report.strict:
        case = ET.SubElement(
            suite, "testcase", classname="claims", name="every claim has a verdict"
        )
        if texts := open_claims(report):
            message = "; ".join(texts)
            ET.SubElement(case, "failure", message=message, type="no verdict").text = message
    if report.notes:
        ET.SubElement(suite, "system-out").text = "\n".join(map(printable, report.notes))


def _suite(root: ET.Element, group: NetworkGroup) -> None:
    suite = ET.SubElement(root, "testsuite", name=printable(group.title))
    for result in group.results:
        prefix = f"{result.run.pixels}." if group.told else ""
        run = result.run
        facts = {
            "checkpoint": run.checkpoint,
            "weights_sha256": run.weights_sha256,
            "pipeline": run.pipeline,
            "crops": run.crops,
            "precision": run.precision,
            "preprocessing": run.preprocessing.describe(),
            "images": result.counts.images,
            "top1_correct": result.counts.top1_correct,
            "top5_correct": result.counts.top5_correct,
        }
        add_properties(suite, {f"{prefix}{name}": value for name, value in facts.items()})
    for result in group.results:
        for judged in result.judgements:
            _judged(_case(suite, group, judged.claim), result, judged)
    for each in group.unjudged():
        message = f"not judged: it was measured with {each.protocol}"
        ET.SubElement(_case(suite, group, each.claim), "skipped", message=message)


def _judged(case: ET.Element, result: Result, judged: Judgement) -> None:
    text = remark(judged)
    if judged.verdict is Verdict.NOT_REPRODUCED:
        failure = ET.SubElement(case, "failure", message=text, type=judged.verdict)
        failure.text = "\n".join([text, *map(printable, result.diagnoses)])
    elif judged.verdict is Verdict.NO_VERDICT:
        ET.SubElement(case, "skipped", message=text)


def _case(suite: ET.Element, group: NetworkGroup, claim: Claim) -> ET.Element:
    name = f"{claim.metric} {claim.value} ({claim.title})"
    return ET.SubElement(suite, "testcase", classname=printable(group.title), name=printable(name))


def add_properties(suite: ET.Element, facts: Mapping[str, object]) -> None:
    """Add facts to those that a suite states.

    Args:
        suite: takes them.
        facts: name -> value of any kind that a report prints.
    """
    found = suite.find("properties")
    properties = ET.SubElement(suite, "properties") if found is None else found
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=printable(name), value=shown(value))


def _count(element: ET.Element) -> None:
    """Set the numbers of cases below an element, and of those that failed or were skipped."""
    counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in counts.items():
        element.set(name, str(len(element.findall(f".//{tag}"))))
