from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.preprocessing import IMAGENET
from resnext.published import Claim, Metric, Row
from tests.support.ledgers import IMAGENET_RUN, MADE, Lines, imagenet_lines, write_ledger
from validate.judging.applied import applied
from validate.judging.evidence import Evidence, read_evidence
from validate.judging.report import Asked, judged
from validate.reports.sentences import exit_code, headline
from validate.verdicts.claims import Verdict
from validate.verdicts.results import Report

NAMES = ["a", "b", "c", "d", "e", "f"]
OWN_RUN = {**IMAGENET_RUN, "network": "mine"}
OWN_CHECKPOINT = {"preprocessing": IMAGENET_RUN["preprocessing"]}
OWN = {
    **MADE,
    "classes": 6,
    "class_names": NAMES,
    "checkpoints": [OWN_CHECKPOINT],
}
CLAIM = Claim(metric=Metric.TOP1_ERROR, value="50.0", images=6, source="me")
ROW = Row(name="mine", preprocessing=IMAGENET, claims=(CLAIM,))


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    """Return why the claims about the only run of a ledger have no verdict."""
    (run,) = evidence.origin.runs
    return applied(evidence, run, ()).doubts


def own_lines() -> Lines:
    """Return lines of six pictures, of which the odd ones are decided wrongly."""
    return [
        {
            "batch": 0,
            "image": f"{n}.jpg",
            "label": n,
            "top5": [[(n + n % 2 + step) % 6 for step in range(5)]],
            "confidence": [0.5],
        }
        for n in range(6)
    ]


def report(
    tmp_path: Path, row: Row = ROW, *, lines: Lines | None = None, **fields: object
) -> Report:
    """Return the report on the user's own six pictures."""
    fields = {"runs": [OWN_RUN], "made": OWN, "images": 6, **fields}
    path = write_ledger(tmp_path / "l", lines or own_lines(), **fields)
    (found,) = judged([read_evidence(path)], Asked(own=(row,), source="claims.toml"))
    return found


@pytest.mark.parametrize(
    ("wrong", "verdict", "code"),
    [
        (11_174, Verdict.REPRODUCED, 0),
        (11_176, Verdict.NOT_REPRODUCED, 1),
    ],
)
def test_published_claim_is_judged_by_fifty_thousand_lines(
    tmp_path: Path, wrong: int, verdict: Verdict, code: int
) -> None:
    """22.2 holds to one unit of its last digit and 0.05: up to 22.35 % or 11,175 pictures."""
    evidence = read_evidence(write_ledger(tmp_path / "l", imagenet_lines(wrong)))
    (found,) = judged([evidence], Asked())
    (result,) = found.results
    assert result.counts.top1_correct == 50_000 - wrong
    assert result.counts.top5_correct == 50_000
    assert [each.verdict for each in result.judgements] == [verdict]
    assert exit_code(found) == code
    assert any("50,000 pictures labelled by the published labels" in n for n in found.notes)


def test_claim_of_the_users_own_is_judged_by_the_ledgers_labels(tmp_path: Path) -> None:
    found = report(tmp_path)
    (judgement,) = found.results[0].judgements
    assert (judgement.verdict, judgement.measured) == (Verdict.REPRODUCED, Fraction(50))
    assert headline(found) == "Reproduced: the claim holds."
    assert any("labelled by the ledger itself" in note for note in found.notes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            replace(ROW, weights_sha256="12" * 32),
            "the claims are about weights of sha256 121212121212..., the ledger about abababababab",
        ),
        (
            replace(ROW, preprocessing=replace(IMAGENET, scale=300)),
            "it is claimed with scale 300, and the ledger was measured with scale 256, crop 224",
        ),
        (
            replace(ROW, preprocessing=replace(IMAGENET, mean=(0.5, 0.5, 0.5))),
            "it is claimed with mean 0.5 0.5 0.5, std 0.229 0.224 0.225",
        ),
        (replace(ROW, classes=("a", "b")), "the claims are about 2 classes, the ledger about 6"),
        (
            replace(ROW, classes=("a", "b", "x", "d", "e", "f")),
            "output 2 is 'x' in the claims and 'c' in the ledger",
        ),
    ],
    ids=["weights", "scale", "mean", "classes", "names"],
)
def test_claim_about_something_else_has_no_verdict_and_a_reason(
    tmp_path: Path, row: Row, reason: str
) -> None:
    found = report(tmp_path, row)
    (judgement,) = found.results[0].judgements
    assert judgement.verdict is Verdict.NO_VERDICT
    assert judgement.reason.startswith(reason)
    assert exit_code(found) == 0
    assert exit_code(replace(found, strict=True)) == 1
    assert headline(found).startswith(f"No verdict on 1 claim: {reason}")


def test_claim_of_another_pipeline_is_not_judged(tmp_path: Path) -> None:
    found = report(tmp_path, runs=[{**OWN_RUN, "pipeline": "pil"}])
    assert found.results[0].judgements == ()
    assert [each.protocol for each in found.results[0].unjudged] == ["the torch7 pipeline"]


def test_original_of_another_size_or_sha256_than_the_published_is_a_reason(tmp_path: Path) -> None:
    checkpoint = {"file": "resnext_50_32x4d.t7", "sha256": "cd" * 32, "bytes": 5}
    made = {**MADE, "checkpoints": [checkpoint]}
    evidence = read_evidence(write_ledger(tmp_path / "l", imagenet_lines(11_100), made=made))
    (found,) = judged([evidence], Asked())
    (judgement,) = found.results[0].judgements
    assert judgement.reason == (
        "the published resnext_50_32x4d.t7 has 200,631,353 bytes, the original of the ledger's "
        "weights 5"
    )


@pytest.mark.parametrize("file", ["another.pth", "resnext50_32x4d_a1h-0146ab0a.pth"])
def test_original_of_another_sha256_is_a_reason_whatever_it_is_called(
    tmp_path: Path, file: str
) -> None:
    """The published file's name ends with the first digits of its sha256."""
    run = {**IMAGENET_RUN, "network": "resnext50_32x4d.a1h_in1k"}
    made = {**MADE, "checkpoints": [{"file": file, "sha256": "cd" * 32}]}
    lines = imagenet_lines(2, images=10)
    evidence = read_evidence(write_ledger(tmp_path / "l", lines, runs=[run], made=made))
    (found,) = _reasons(evidence)
    assert found == (
        "the claims are about resnext50_32x4d_a1h-0146ab0a.pth of a sha256 that begins with "
        "0146ab0a, the original of the ledger's weights has cdcdcdcdcdcd..."
    )


@pytest.mark.parametrize(
    ("stated", "verdict"),
    [
        ({"sha256": "cd" * 32}, Verdict.NO_VERDICT),
        ({"sha256": "abcdef01" * 8}, Verdict.REPRODUCED),
        ({"bytes": 6}, Verdict.NO_VERDICT),
        ({"bytes": 5}, Verdict.REPRODUCED),
    ],
    ids=["another sha256", "the sha256", "other bytes", "the bytes"],
)
def test_claims_of_a_file_that_they_do_not_name_are_about_its_content(
    tmp_path: Path, stated: dict[str, object], verdict: Verdict
) -> None:
    row = replace(ROW, sha256="abcdef01", bytes=5)
    checkpoint = {**OWN_CHECKPOINT, "file": "mine.t7", **stated}
    found = report(tmp_path, row, made={**OWN, "checkpoints": [checkpoint]})
    assert [each.verdict for each in found.results[0].judgements] == [verdict]


def test_original_that_is_not_stated_is_told(tmp_path: Path) -> None:
    found = report(tmp_path, replace(ROW, sha256="abcdef01"))
    assert found.results[0].judgements[0].verdict is Verdict.REPRODUCED
    assert any("taken for what the claims are about: original file" in n for n in found.notes)


def test_classes_of_another_order_are_a_reason(tmp_path: Path) -> None:
    made = {**MADE, "class_names": [f"class {n}" for n in range(1000)]}
    path = write_ledger(tmp_path / "l", imagenet_lines(11_100), made=made)
    (found,) = judged([read_evidence(path)], Asked())
    (judgement,) = found.results[0].judgements
    assert judgement.reason.startswith("its labels cannot be compared with the published ones")
    assert "its classes in their order, expected" in judgement.reason


def test_published_claim_is_not_judged_by_labels_that_cannot_be_checked(tmp_path: Path) -> None:
    lines = imagenet_lines(11_100)
    for place, line in enumerate(lines):
        line["image"] = f"{place}.jpg"
    (found,) = judged([read_evidence(write_ledger(tmp_path / "l", lines))], Asked())
    (judgement,) = found.results[0].judgements
    assert judgement.reason.startswith(
        "its labels cannot be compared with the published ones: the pictures of ILSVRC2012's "
    )


def test_picture_named_twice_leaves_the_claim_without_a_verdict(tmp_path: Path) -> None:
    lines = own_lines()
    found = report(tmp_path, lines=[*lines, lines[0]], images=7)
    (judgement,) = found.results[0].judgements
    assert judgement.reason == "1 picture named twice or more: 0.jpg"
    assert judgement.images == 6


def test_picture_that_could_not_be_read_makes_the_report_incomplete(tmp_path: Path) -> None:
    lines = own_lines()
    lines[0] = {"batch": 0, "image": "0.jpg", "label": 0, "failure": "0.jpg: cut short"}
    found = report(tmp_path, lines=lines)
    assert found.decisions.failures == {0: "0.jpg: cut short"}
    assert exit_code(found) == 2


def test_two_ledgers_of_one_set_are_one_report(tmp_path: Path) -> None:
    one = write_ledger(tmp_path / "a", imagenet_lines(2, images=10))
    lines = imagenet_lines(4, images=20, folder="n01440764/")[5:]
    two = write_ledger(tmp_path / "b", lines, runs=[{**IMAGENET_RUN, "pipeline": "pil"}])
    (found,) = judged([read_evidence(one), read_evidence(two)], Asked())
    assert [each.counts.images for each in found.results] == [10, 15]
    assert len(found.images) == 20
    assert found.decisions.top_five[1][:5].tolist() == [[-1] * 5] * 5
    assert found.images.ids[9] == "ILSVRC2012_val_00000010.JPEG"


def test_ledgers_of_two_sets_are_two_reports(tmp_path: Path) -> None:
    one = write_ledger(tmp_path / "a", imagenet_lines(2, images=10))
    two = write_ledger(tmp_path / "b", own_lines(), runs=[OWN_RUN], made=OWN, images=6)
    found = judged([read_evidence(two), read_evidence(one)], Asked())
    assert [len(each.images) for each in found] == [6, 10]


def test_claims_of_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"claims\.toml: none of its rows applies; .* are mine"):
        report(tmp_path, replace(ROW, name="another"))
