from pathlib import Path
from typing import Any

from resnext.inference.plan import make_plan
from validate.ledger.entries import Entry
from validate.ledger.ledger import Ledger
from validate.ledger.stages import stage_notes
from validate.ledger.stored import Stored, read_ledger

IDENTITY = {"data": {"sha256": "ab"}, "runs": [{"network": "n"}], "settings": {}}
PLAN = make_plan(3, limit=None, seed=0, batch_size=1)
HERE = {"by": "resnext 1", "date": "2026-01-01", "machine": {"processor": "A", "cores": 4}}
THERE = {**HERE, "date": "2026-01-02", "machine": {"processor": "B", "cores": 4}}
LATER = {**HERE, "date": "2026-01-03"}
SECOND = {**THERE, "commit": "cd"}


def append(path: Path, made: dict[str, Any], *numbers: int) -> Stored:
    with Ledger.open(path, IDENTITY, PLAN, made=made) as ledger:
        for number in numbers:
            entry = Entry(
                batch=number,
                image=f"{number}.png",
                label=0,
                top_five=((0, 1),),
                confidence=(0.5,),
                reference=(None,),
            )
            ledger.append([entry])
        if numbers[-1:] == (2,):
            ledger.finish()
    stored = read_ledger(path)
    assert stored is not None
    stored.check_seal()
    return stored


def test_other_machine_is_stated_by_its_first_image(tmp_path: Path) -> None:
    append(tmp_path / "l", HERE, 0)
    stored = append(tmp_path / "l", SECOND, 1, 2)
    assert [each.continued for each in stored.entries] == [None, SECOND, None]
    assert stored.made == HERE
    (note,) = stage_notes(Path("l"), stored.stages)
    assert note == (
        "l: continued on 2026-01-02 from image 2 on: commit cd in place of one not stated, "
        "processor B in place of A; that may change the last bits of logits"
    )


def test_same_machine_on_another_day_ends_with_the_same_bytes(tmp_path: Path) -> None:
    append(tmp_path / "once", HERE, 0, 1, 2)
    append(tmp_path / "twice", HERE, 0)
    stored = append(tmp_path / "twice", LATER, 1, 2)
    assert (tmp_path / "twice").read_bytes() == (tmp_path / "once").read_bytes()
    assert len(stored.stages) == 1


def test_way_there_and_back_is_stated_twice(tmp_path: Path) -> None:
    append(tmp_path / "l", HERE, 0)
    append(tmp_path / "l", THERE, 1)
    stored = append(tmp_path / "l", LATER, 2)
    assert [each.first for each in stored.stages] == [1, 2, 3]
    assert [each.facts.get("processor") for each in stored.stages] == ["A", "B", "A"]


def test_machine_that_decided_nothing_is_not_stated(tmp_path: Path) -> None:
    append(tmp_path / "l", HERE)
    stored = append(tmp_path / "l", THERE, 0, 1, 2)
    assert [each.made for each in stored.stages] == [THERE]
    before = (tmp_path / "l").read_bytes()
    append(tmp_path / "l", HERE)
    assert (tmp_path / "l").read_bytes() == before
