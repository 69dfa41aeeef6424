"""The reports for programs: JSON, JUnit, CSV, and the folder they appear in."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from resnext.inference.metrics import Counts
from tests.support.golden import ROOT
from tests.support.sample_report import GONE_REASON, IDS, sample_report
from validate.reports import to_json, write_reports
from validate.reports.junit import to_junit
from validate.reports.predictions import write_predictions
from validate.reports.statistics import answers, confident_mistakes, macro
from validate.verdicts.claims import Verdict
from validate.verdicts.results import Decisions, Report

NAMES = ("report.json", "report.md", "junit.xml", "predictions.csv", "report.html")


def test_json_has_verdicts_with_interval_and_difference() -> None:
    fields = to_json(sample_report())
    first, second = fields["results"]  # type: ignore[misc]
    # Wilson's interval of 1 of 5: the roots of (x - 0.2)^2 = z^2 x (1 - x) / 5.
    common = {"measured": 20.0, "interval": [3.6224, 62.4465]}
    assert first["claims"] == [
        {
            "source": "a README",
            "metric": "top1_error",
            "published": "20.0",
            "images": 5,
            "tolerance": 0.15,
            "verdict": "reproduced",
            "difference_points": 0.0,
            "difference_images": 0,
            "interval_holds": True,
            **common,
        },
        {
            "source": "<b>another</b>",
            "metric": "top1_error",
            "published": "0.0",
            "images": 5,
            "tolerance": 0.15,
            "verdict": "not reproduced",
            "difference_points": 20.0,
            "difference_images": 1,
            "interval_holds": False,
            **common,
        },
    ]
    assert first["claims_not_judged"] == [
        {
            "source": "a README",
            "metric": "top5_error",
            "published": "1.5",
            "images": 5,
            "tolerance": 0.15,
            "protocol": "10 crops",
        }
    ]
    assert first["diagnoses"] == ["the labels may be shifted"]
    assert second["claims"] == []


def test_json_has_how_each_run_was_measured_and_counted() -> None:
    first, second = to_json(sample_report())["results"]  # type: ignore[misc]
    told = {key: value for key, value in first.items() if not key.startswith("claims")}
    assert told == {
        "checkpoint": "nets/x.t7",
        "network": "resnext_11_1x64d",
        "weights_sha256": "ab" * 32,
        "pipeline": "torch7",
        "crops": 1,
        "precision": "fp32",
        "compiled": False,
        "preprocessing": {
            "scale": 256,
            "crop": 224,
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "white": 1,
        },
        "images": 5,
        "top1_correct": 4,
        "top5_correct": 5,
        "top1_error": 20.0,
        "top5_error": 0.0,
        # By class: recall 1/2, 1, 1; precision 1, 2/3, 1; F1 2/3, 4/5, 1.
        "macro_precision": 88.8889,
        "macro_recall": 83.3333,
        "macro_f1": 82.2222,
        "diagnoses": ["the labels may be shifted"],
    }
    assert (second["pipeline"], second["top1_error"]) == ("pil", 40.0)


def test_json_has_the_images_the_failures_and_the_rest() -> None:
    fields = to_json(sample_report())
    assert fields["images"] == {
        "root": "pets/val",
        "images": 6,
        "measured": 6,
        "classes": 3,
        "sha256": "cd" * 32,
        "notes": ["pets/val: 2 entries ignored"],
    }
    del fields["results"], fields["images"]
    assert fields == {
        "format": 2,
        "outcome": "incomplete",
        "summary": "Incomplete: 1 image could not be read. Not reproduced: 1 of 2 claims does not "
        "hold. Under pil the top-1 error is 20.00 points (1 image) above that under torch7.",
        "exit_code": 2,
        "exit_meaning": "images could not be read, so the set is not whole",
        "open": [],
        "notes": ["pets/val: 2 entries ignored", "l: 3 of 6 images are <there> already"],
        "trained_on": [],
        "pipelines_compared": [
            {
                "checkpoint": "nets/x.t7",
                "pipelines": ["torch7", "pil"],
                "top1_correct_only": [1, 0],
                "mcnemar_p": 1.0,
            }
        ],
        "failures": [{"image": "c/gone.png", "reason": GONE_REASON}],
        "forms": {"CMYK": 1, "gray": 2},
        "timing": {
            "images": 6,
            "images_per_second": 3.0,
            "seconds": {
                "wall": 2.0,
                "reading": 0.5,
                "decoding": 1.0,
                "preparing": 0.25,
                "network": 1.5,
            },
        },
        "settings": {"device": "cpu", "precision": "fp32", "tf32": False, "limit": None},
        "versions": {"python": "3.11.9"},
        "command": "resnext-validate --data pets/val '```' nets/x.t7",
    }


def test_json_of_no_images_has_null_in_place_of_errors() -> None:
    report = nothing_read()
    (result,) = to_json(report)["results"]  # type: ignore[misc]
    assert [result[name] for name in ("images", "top1_error", "macro_f1")] == [0, None, None]
    json.dumps(to_json(report), allow_nan=False)


def nothing_read() -> Report:
    """Return the sample with a single run whose images all failed."""
    report = sample_report()
    return replace(
        report,
        results=(replace(report.results[0], counts=Counts(), judgements=()),),
        decisions=Decisions(
            positions=np.arange(6),
            top_five=(np.full((6, 3), -1, np.int32),),
            confidences=(np.full(6, np.nan, np.float32),),
            failures={n: f"image {n} is gone" for n in range(6)},
        ),
    )


def test_junit_has_a_case_for_each_claim_and_one_for_the_images() -> None:
    root = ET.fromstring(to_junit(sample_report()))  # noqa: S314 - our own text
    assert root.attrib == {
        "name": "resnext-validate",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "2.000",
    }
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert cases == [
        ("images", "every image can be read"),
        ("resnext_11_1x64d", "top1_error 20.0 (a README)"),
        ("resnext_11_1x64d", "top1_error 0.0 (<b>another</b>)"),
        ("resnext_11_1x64d", "top5_error 1.5 (a README, 10 crops)"),
    ]
    assert [len(case) for case in root.iter("testcase")] == [1, 0, 1, 1]
    (failure,), (skipped,), (error,) = (
        root.findall(f".//{t}") for t in ("failure", "skipped", "error")
    )
    message = "top-1 error 20.00 is 20.00 points (1 image) above the 0.0 of <b>another</b>"
    assert failure.attrib == {"message": message, "type": "not reproduced"}
    assert failure.text == f"{message}\nthe labels may be shifted"
    assert skipped.get("message") == "not judged: it was measured with 10 crops"
    assert error.get("message") == "1 image could not be read"
    assert error.text == GONE_REASON


def test_junit_has_settings_and_runs_as_properties() -> None:
    root = ET.fromstring(to_junit(sample_report()))  # noqa: S314 - our own text
    images, network = root.findall("testsuite")
    settings = {each.get("name"): each.get("value") for each in images.iter("property")}
    assert (settings["tf32"], settings["version.python"]) == ("false", "3.11.9")
    assert settings["command"] == "resnext-validate --data pets/val '```' nets/x.t7"
    runs = {each.get("name"): each.get("value") for each in network.iter("property")}
    assert (runs["torch7.top1_correct"], runs["pil.top1_correct"]) == ("4", "3")
    assert runs["torch7.weights_sha256"] == "ab" * 32


def test_junit_skips_a_claim_without_a_verdict() -> None:
    report = sample_report()
    first, second = report.results
    judged = replace(first.judgements[0], verdict=Verdict.NO_VERDICT)
    changed = replace(report, results=(replace(first, judgements=(judged,)), second))
    root = ET.fromstring(to_junit(changed))  # noqa: S314 - our own text
    (skipped,) = root.findall(".//testcase[@name='top1_error 20.0 (a README)']/skipped")
    assert skipped.get("message") == (
        "top-1 error 20.00 has the 95 % interval 3.62 to 62.45, which holds the 20.0 of a README; "
        "no verdict, as this is not the whole set with every class"
    )


def test_junit_fails_where_a_claim_is_left_open_and_that_is_not_let_pass() -> None:
    report = replace(sample_report(gone=False), missing=("pets_b",))
    case = ".//testcase[@name='every claim has a verdict']"
    assert ET.fromstring(to_junit(report)).find(case) is None  # noqa: S314 - our own text
    root = ET.fromstring(to_junit(replace(report, strict=True)))  # noqa: S314
    (failure,) = root.findall(f"{case}/failure")
    assert failure.get("message") == ("pets_b: no checkpoint that its claims apply to was measured")
    closed = ET.fromstring(to_junit(replace(report, strict=True, missing=())))  # noqa: S314
    assert len(closed.findall(case)) == 1
    assert closed.findall(f"{case}/failure") == []


def test_junit_tells_what_was_said_before_the_measurement() -> None:
    root = ET.fromstring(to_junit(sample_report()))  # noqa: S314 - our own text
    (text,) = root.findall("testsuite[@name='images']/system-out")
    assert text.text == "pets/val: 2 entries ignored\nl: 3 of 6 images are <there> already"


def test_junit_takes_names_that_xml_cannot_hold() -> None:
    report = sample_report()
    failures = {5: "\udcff and \x1b and \x00 and \ufffe"}
    changed = replace(report, decisions=replace(report.decisions, failures=failures))
    root = ET.fromstring(to_junit(changed).encode())  # noqa: S314 - our own text
    assert root.findall(".//error")[0].text == r"\udcff and \x1b and \x00 and \ufffe"


def read_back(report: Report) -> list[dict[str, str]]:
    file = io.BytesIO()
    write_predictions(report, file)
    text = file.getvalue().decode("utf-8", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_for_each_image_and_run_in_the_order_of_the_set() -> None:
    rows = read_back(sample_report())
    changed = {IDS[1]: '\'=cmd|"x",y.png', IDS[4]: r"c/new\nline|`*.png"}
    written = [changed.get(image, image) for image in IDS]
    assert [(row["pipeline"], row["image"]) for row in rows] == [
        (pipeline, image) for pipeline in ("torch7", "pil") for image in written
    ]
    assert [row["top1"] for row in rows] == [*"01112", "", *"01102", ""]


def test_csv_row_holds_the_decision() -> None:
    rows = read_back(sample_report())
    assert rows[1] == {
        "image": '\'=cmd|"x",y.png',
        "label": "0",
        "label_name": "cat",
        "checkpoint": "nets/x.t7",
        "pipeline": "torch7",
        "crops": "1",
        "precision": "fp32",
        "top1": "1",
        "top2": "0",
        "top3": "2",
        "top4": "",
        "top5": "",
        "top1_name": "<script>alert(2)</script>",
        "confidence": "0.750000",
        "top1_correct": "0",
        "top5_correct": "1",
        "failure": "",
    }


def test_csv_row_of_an_unreadable_image_has_the_reason_and_no_decision() -> None:
    row = read_back(sample_report())[5]
    decided = [row[key] for key in ("top1", "top5", "confidence", "top1_correct", "top5_correct")]
    assert decided == [""] * 5
    assert (row["image"], row["label"], row["failure"]) == ("c/gone.png", "2", GONE_REASON)


def test_csv_keeps_every_byte_of_a_name_that_is_no_utf8() -> None:
    file = io.BytesIO()
    write_predictions(sample_report(), file)
    assert b"\nb/\xff.png,1," in file.getvalue()


def test_csv_spells_out_surrogates_that_stand_for_no_byte() -> None:
    report = sample_report()
    images = replace(report.images, ids=("\ud800.png", *IDS[1:]))
    assert read_back(replace(report, images=images))[0]["image"] == r"\ud800.png"


def test_csv_without_class_names_has_none() -> None:
    rows = read_back(replace(sample_report(), classes=None))
    assert {row["label_name"] for row in rows} == {""}


def test_statistics_by_class() -> None:
    found = answers(sample_report())
    counts = found.top_one(1).counts()
    assert counts.images.tolist() == [2, 2, 1]
    assert counts.wrong.tolist() == [1, 1, 0]
    assert counts.answered.tolist() == [2, 2, 1]
    assert counts.hardest().tolist() == [0, 1, 2]
    assert confident_mistakes(found, 1, most=5) == [3, 1]


def test_macro_of_a_class_that_is_never_answered_counts_as_zero() -> None:
    report = sample_report(gone=False)
    tops = tuple(np.zeros((5, 3), np.int32) for _ in range(2))
    decisions = replace(report.decisions, top_five=tops)
    found = macro(answers(replace(report, decisions=decisions)), 0)
    # Class 0 is answered five times, twice rightly: precision 2/5, recall 1, F1 4/7.
    assert found.precision == pytest.approx(100 * 2 / 15)
    assert found.recall == pytest.approx(100 / 3)
    assert found.f1 == pytest.approx(100 * 4 / 21)


def test_folder_holds_all_reports(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    paths = write_reports(sample_report(), folder)
    assert paths == tuple(folder / name for name in NAMES)
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    assert json.loads(paths[0].read_text())["outcome"] == "incomplete"
    assert json.loads(paths[0].read_text())["failures"][0]["image"] == IDS[5]


def test_folder_of_a_report_about_nothing_is_complete(tmp_path: Path) -> None:
    report = sample_report(gone=False)
    nothing = Decisions(
        positions=np.zeros(0, np.int64),
        top_five=(np.zeros((0, 3), np.int32),),
        confidences=(np.zeros(0, np.float32),),
    )
    result = replace(report.results[0], counts=Counts(), judgements=())
    changed = replace(report, results=(result,), decisions=nothing, classes=None)
    assert len(write_reports(changed, tmp_path)) == 5


def test_folder_takes_texts_that_are_no_unicode(tmp_path: Path) -> None:
    report = sample_report()
    first, second = report.results
    odd = replace(first, diagnoses=("\udcff",), run=replace(first.run, checkpoint="\udcff.t7"))
    changed = replace(report, results=(odd, second), settings={"\udcff": ["\udcff"]})
    paths = write_reports(changed, tmp_path)
    assert r"\udcff.t7" in paths[4].read_text()


def test_folder_is_left_as_it_was_if_a_report_cannot_be_written(tmp_path: Path) -> None:
    write_reports(sample_report(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = replace(sample_report(gone=False), settings={"limit": float("nan")})
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        write_reports(broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.touch()
    with pytest.raises(FileExistsError) as caught:
        write_reports(sample_report(), path)
    assert caught.value.filename == str(path)


CROWDED = """
import resource
from pathlib import Path
from tests.support.sample_report import sample_report
from validate.reports import write_reports
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))  # less than the page, more than the rest
write_reports(sample_report(), Path("report"))
"""


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_folder_stays_empty_if_one_file_does_not_fit(tmp_path: Path) -> None:
    done = run_python(CROWDED, tmp_path)
    assert "File too large: 'report/report.html'" in done.stderr
    assert list((tmp_path / "report").iterdir()) == []


def test_import_of_the_reports_leaves_torch_rich_and_jinja_alone(tmp_path: Path) -> None:
    code = "import sys, validate.reports; print({'torch', 'rich', 'jinja2'} & set(sys.modules))"
    done = run_python(code, tmp_path)
    assert (done.stdout, done.stderr) == ("set()\n", "")
