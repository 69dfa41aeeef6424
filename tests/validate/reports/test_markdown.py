"""report.md, as GitHub shows it below a job."""

from dataclasses import replace

from tests.support.sample_report import CLASSES, sample_report
from validate.reports.markdown import MOST_BYTES, to_markdown


def test_markdown_begins_with_the_verdict_and_the_claims() -> None:
    assert to_markdown(sample_report(gone=False)).startswith(
        """\
# ❌ Not reproduced: 1 of 2 claims does not hold. Under pil the top-1 error is 20.00 points \
(1 image) above that under torch7.

5 images of pets/val (a sample of 6), 3.0 images/s, cpu, fp32; exit code 1: a claim that was \
judged does not hold

| network | error | pipeline | correct | measured % | 95 % interval | published % | difference \
| verdict | source |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |
| resnext_11_1x64d | top-1 | torch7 | 4/5 | 20.00 | 3.62 to 62.45 | 20.0 | 0.00 (0) \
| ✅ reproduced | a README |
| resnext_11_1x64d | top-1 | pil | 3/5 | 40.00 | 11.76 to 76.93 | 20.0 | +20.00 (+1) \
| compared | a README |
| resnext_11_1x64d | top-1 | torch7 | 4/5 | 20.00 | 3.62 to 62.45 | 0.0 | +20.00 (+1) \
| ❌ **not reproduced** | &#60;b&#62;another&#60;/b&#62; |
"""
    )


def test_markdown_lists_what_could_not_be_read() -> None:
    text = to_markdown(sample_report())
    assert text.startswith("# ⚠️ Incomplete: 1 image could not be read. ")
    assert "## 1 image could not be read\n\n- c/gone.png: a whole image expected" in text


def test_markdown_has_the_hardest_classes_with_what_they_were_taken_for() -> None:
    lines = to_markdown(sample_report()).splitlines()
    assert (
        "| resnext_11_1x64d | cat | 1/2 | &#60;script&#62;alert(2)&#60;/script&#62; (1) |" in lines
    )


def test_markdown_fences_a_command_that_holds_a_fence() -> None:
    text = to_markdown(sample_report())
    assert "\n````\nresnext-validate --data pets/val '```' nets/x.t7\n````\n" in text


def test_markdown_of_a_flood_of_text_stays_small() -> None:
    report = sample_report()
    first, second = report.results
    flood = tuple(f"{n} {'é' * 3000}" for n in range(100))
    failures = dict.fromkeys(range(50_000), "|" * 10_000)
    names = tuple(name * 1000 for name in CLASSES)
    text = to_markdown(
        replace(
            report,
            results=(replace(first, diagnoses=flood), second),
            decisions=replace(report.decisions, failures=failures),
            classes=names,
        )
    )
    assert len(text.encode()) <= MOST_BYTES
    assert "*A part that is too long is in report.json.*" in text
    assert "| ❌ **not reproduced** |" in text


def test_markdown_of_many_failures_says_how_many_more() -> None:
    report = sample_report()
    failures = {n: f"image {n} is gone" for n in range(1234)}
    text = to_markdown(replace(report, decisions=replace(report.decisions, failures=failures)))
    assert "- image 19 is gone\n- and 1,214 more, in report.json\n" in text
