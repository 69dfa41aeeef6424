from pathlib import Path

import numpy as np
import pytest

from tests.support.ledgers import (
    IMAGENET_RUN,
    LABELS,
    MADE,
    Lines,
    imagenet_lines,
    ledger_text,
    write_ledger,
)
from validate.judging.evidence import read_evidence
from validate.ledger.stored import LedgerError

OWN = {**MADE, "classes": 6, "class_names": ["a", "b", "c", "d", "e", "f"]}
UNKNOWN = (
    "1 picture not of ILSVRC2012's validation set, whose 50,000 are called "
    "ILSVRC2012_val_00000001.JPEG and so on:"
)
FIVE = [[5, 4, 3, 2, 1]]


def own_lines(count: int = 6) -> Lines:
    """Return lines of pictures of the user's own, one a class."""
    return [
        {"batch": 0, "image": f"{n}.jpg", "label": n, "top5": FIVE, "confidence": [0.5]}
        for n in range(count)
    ]


def test_labels_of_validation_pictures_are_the_published_ones(tmp_path: Path) -> None:
    lines = imagenet_lines(2, images=10, folder="n01440764/")
    lines[1]["image"] = "val/ILSVRC2012_val_00000002_n02088094.JPEG"
    found = read_evidence(write_ledger(tmp_path / "l", lines))
    assert (found.published, found.classes, found.doubts) == (True, 1000, ())
    assert found.labels.tolist() == LABELS[:10] == [65, 970, 230, 809, 516, 57, 334, 415, 674, 332]
    assert (found.top_five(0)[:, 0] == found.labels).tolist() == [False] * 2 + [True] * 8


def test_ledger_whose_labels_are_others_is_refused_with_the_first_difference(
    tmp_path: Path,
) -> None:
    lines = imagenet_lines(0, images=10)
    for place in (7, 3):
        lines[place]["label"] = 1
    with pytest.raises(
        LedgerError,
        match=r"l: line 5: ILSVRC2012_val_00000004\.JPEG: the label 809 \(n04263257, soup bowl\) "
        r"expected, as published, found 1 \(n01443537\)",
    ):
        read_evidence(write_ledger(tmp_path / "l", lines))


def test_labels_of_other_pictures_are_the_ledgers_own(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "l", own_lines(), made=OWN, images=6)
    found = read_evidence(path)
    assert (found.published, found.classes, found.whole, found.doubts) == (False, 6, True, ())
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_validation_pictures_with_classes_of_the_users_own_have_the_ledgers_labels(
    tmp_path: Path,
) -> None:
    lines = [
        {**line, "image": f"ILSVRC2012_val_0000000{n + 1}.JPEG"}
        for n, line in enumerate(own_lines())
    ]
    found = read_evidence(write_ledger(tmp_path / "l", lines, made=OWN, images=6))
    assert not found.published


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (
            "elsewhere/ILSVRC2012_val_00000001.JPEG",
            "1 picture named twice or more: ILSVRC2012_val_00000001",
        ),
        (
            "ILSVRC2012_val_00050001.JPEG",
            f"{UNKNOWN} ILSVRC2012_val_00050001.JPEG",
        ),
        (
            "cat.jpg",
            f"{UNKNOWN} cat.jpg",
        ),
    ],
    ids=["twice", "beyond the last", "another"],
)
def test_picture_that_is_named_twice_or_unknown_is_a_doubt(
    tmp_path: Path, image: str, doubt: str
) -> None:
    lines = imagenet_lines(0, images=10)
    lines.append({**lines[0], "image": image})
    found = read_evidence(write_ledger(tmp_path / "l", lines))
    assert found.doubts == (doubt,)
    assert len(found.entries) == 10 + ("twice" not in doubt)


def test_run_that_did_not_end_is_a_doubt(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "l", imagenet_lines(0, images=10), sealed=False)
    (doubt,) = read_evidence(path).doubts
    assert doubt.startswith("the run did not come to its end, 10 pictures are there")


def test_ledger_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    found = read_evidence(write_ledger(tmp_path / "l", imagenet_lines(1, images=9), made=None))
    assert (found.published, found.doubts, found.stored.seal) == (True, (), None)


def test_picture_that_could_not_be_read_has_no_decision(tmp_path: Path) -> None:
    lines = own_lines()
    lines[2] = {"batch": 0, "image": "2.jpg", "label": 2, "failure": "2.jpg: cut short"}
    found = read_evidence(write_ledger(tmp_path / "l", lines, made=OWN, images=6))
    assert found.top_five(0)[2].tolist() == [-1] * 5
    assert np.isnan(found.confidences(0)[2])
    assert not found.whole


@pytest.mark.parametrize(
    "top5",
    [[[5, 5, 3, 2, 1]], [[6, 4, 3, 2, 1]], [[5, 4, 3, 2]], [[5, 4, 3, 2, 1, 0]]],
    ids=["twice", "no class", "four", "six"],
)
def test_decision_that_no_network_makes_is_refused(tmp_path: Path, top5: object) -> None:
    lines = own_lines()
    lines[1]["top5"] = top5
    path = write_ledger(tmp_path / "l", lines, made=OWN, images=6)
    with pytest.raises(LedgerError, match="line 3: 5 different classes of 6 expected, found other"):
        read_evidence(path)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"classes": 0}, "classes from 1 expected, found 0"),
        ({"classes": "many"}, "classes as a whole number expected, found 'many'"),
        ({"classes": 5}, "names of 5 classes expected, found 6"),
        ({"class_names": [1]}, "class_names as a list of texts, or ILSVRC2012, expected"),
        ({"checkpoints": []}, "a checkpoint for each run expected"),
        ({"checkpoints": [{"bytes": -1}]}, "bytes as a whole number expected, found -1"),
        ({"checkpoints": [{"file": 5}]}, "file as a text expected, found 5"),
        ({"checkpoints": [{"preprocessing": {"crop": 0}}]}, "line 1: preprocessing"),
    ],
)
def test_first_line_with_values_of_another_kind_is_refused(
    tmp_path: Path, made: dict[str, object], message: str
) -> None:
    path = write_ledger(tmp_path / "l", own_lines(), made={**OWN, **made}, images=6)
    with pytest.raises(LedgerError, match=message) as caught:
        read_evidence(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"crops": 5}, "crops as 1 or 10 expected, found 5"),
        ({"network": "n" * 5000}, "network of at most 1000 letters expected, found 5000"),
        ({"pipeline": "gimp"}, "pipeline is one of torch7, pil, opencv, found 'gimp'"),
        ({"preprocessing": {"crop": 0}}, "line 1: preprocessing"),
    ],
)
def test_run_that_nobody_can_measure_is_refused(
    tmp_path: Path, run: dict[str, object], message: str
) -> None:
    path = write_ledger(tmp_path / "l", own_lines(), runs=[{**IMAGENET_RUN, **run}], made=OWN)
    with pytest.raises(LedgerError, match=message):
        read_evidence(path)


def test_edited_ledger_is_refused_by_its_checksum(tmp_path: Path) -> None:
    text = ledger_text(imagenet_lines(1, images=10), runs=[IMAGENET_RUN])
    edited = text.replace(b'"top5": [[66, 65,', b'"top5": [[65, 66,')
    assert edited != text
    (tmp_path / "l").write_bytes(edited)
    with pytest.raises(LedgerError, match="was cut short or changed since it was finished"):
        read_evidence(tmp_path / "l")
