from pathlib import Path

import pytest

from tests.support.ledgers import IMAGENET_RUN, MADE, write_ledger
from validate.judging.evidence import Evidence, read_evidence
from validate.judging.grouping import by_images

RUN = {**IMAGENET_RUN, "network": "mine"}
OWN = {**MADE, "classes": 3, "class_names": None, "checkpoints": [{}]}


def evidence(path: Path, images: dict[str, int]) -> Evidence:
    lines: list[dict[str, object]] = [
        {"batch": 0, "image": name, "label": label, "top5": [[0, 1, 2]], "confidence": [0.5]}
        for name, label in images.items()
    ]
    return read_evidence(write_ledger(path, lines, runs=[RUN], made=OWN, images=len(images)))


def test_ledgers_of_other_forms_are_one_group_in_their_order(tmp_path: Path) -> None:
    part = evidence(tmp_path / "part", {"s/a": 0, "t/c": 2})
    whole = evidence(tmp_path / "whole", {"0/a.png": 0, "1/b.png": 1, "2/c.png": 2})
    other = evidence(tmp_path / "other", {"x": 0, "y": 1, "z": 2})
    groups = by_images([part, other, whole])
    assert [[each.path.name for each in group] for group in groups] == [
        ["part", "whole"],
        ["other"],
    ]
    assert groups[0][0].pictures == ("0/a.png", "2/c.png")
    assert groups[0][0].naming == (
        f"{tmp_path / 'part'}: 2 pictures paired with those of {tmp_path / 'whole'} by the last "
        "part of their names, without suffix, as s/a with 0/a.png"
    )
    assert [each.naming for each in (groups[0][1], groups[1][0])] == [None, None]


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ({"s/a": 0, "t/a": 0}, "but s/a and t/a of {two} have the same"),
        ({"s/a": 1, "t/b": 1}, "but s/a has the label 1 in place of 0"),
    ],
)
def test_names_that_do_not_tell_it_are_judged_apart(
    tmp_path: Path, images: dict[str, int], reason: str
) -> None:
    one = evidence(tmp_path / "one", {"0/a.png": 0, "1/b.png": 1, "2/c.png": 2})
    two = evidence(tmp_path / "two", images)
    assert [len(group) for group in by_images([one, two])] == [1, 1]
    (_, (apart,)) = by_images([one, two])
    assert str(apart.naming).startswith(f"{two.path}: judged apart from {one.path}: ")
    assert str(apart.naming).endswith(reason.format(two=two.path))
