import json
from pathlib import Path

import pytest

from validate.comparison.comparison import compare, difference, pairs, run_name
from validate.ledger.entries import Entry
from validate.ledger.reading import read_decided
from validate.ledger.stored import FORMAT, LedgerError, Stored, read_ledger

RUN = {
    "network": "n",
    "weights_sha256": "ab",
    "preprocessing": {"scale": 256, "crop": 224},
    "pipeline": "torch7",
    "crops": 1,
    "precision": "fp32",
}
Rows = list[tuple[str, int, tuple[int, ...]]]


def ledger(path: Path, rows: Rows, *, runs: tuple[str, ...] = ("torch7",)) -> Stored:
    """Write a ledger by hand: (image, label, best class of each run); -1 is a failure."""
    described = [{**RUN, "pipeline": name} for name in runs]
    lines = [json.dumps({"ledger": FORMAT, "runs": described})]
    for image, label, best in rows:
        fields: dict[str, object] = {"batch": 0, "image": image, "label": label}
        if best[0] < 0:
            fields["failure"] = "cut short"
        else:
            fields |= {"top5": [[each, 7] for each in best], "confidence": [0.5] * len(best)}
        lines.append(json.dumps(fields))
    path.write_text("\n".join(lines) + "\n")
    stored = read_ledger(path)
    assert stored is not None
    return stored


def test_flips_are_counted_both_ways(tmp_path: Path) -> None:
    one = ledger(
        tmp_path / "a",
        [("p", 1, (1,)), ("q", 1, (1,)), ("r", 1, (2,)), ("s", 1, (2,)), ("t", 1, (2,))],
    )
    two = ledger(
        tmp_path / "b",
        [("t", 1, (2,)), ("s", 1, (3,)), ("r", 1, (1,)), ("q", 1, (1,)), ("p", 1, (2,))],
    )
    found = compare(one, two, runs=(0, 0))
    assert (found.images, found.both_right, found.lost, found.gained) == (5, 1, 1, 1)
    assert [(flip.image, flip.kind) for flip in found.flips] == [
        ("p", "first"),
        ("r", "second"),
        ("s", "neither"),
    ]


def test_images_of_one_ledger_only_and_failures_are_not_compared(tmp_path: Path) -> None:
    one = ledger(tmp_path / "a", [("p", 1, (1,)), ("q", 1, (1,)), ("r", 1, (-1,))])
    two = ledger(tmp_path / "b", [("p", 1, (1,)), ("r", 1, (1,)), ("s", 1, (1,)), ("q", 1, (-1,))])
    found = compare(one, two, runs=(0, 0))
    assert (found.images, found.only_first, found.only_second) == (1, 1, 2)


def test_labels_that_differ_are_refused(tmp_path: Path) -> None:
    one, two = (ledger(tmp_path / f"{n}", [("p", n, (1,))]) for n in (1, 2))
    with pytest.raises(LedgerError, match=r"found 2 in place of 1 for p; they are of different"):
        compare(one, two, runs=(0, 0))


def test_ledgers_without_a_common_image_are_refused(tmp_path: Path) -> None:
    one, two = (ledger(tmp_path / name, [(name, 1, (1,))]) for name in "ab")
    with pytest.raises(LedgerError, match="found none in common"):
        compare(one, two, runs=(0, 0))


def test_runs_are_paired_by_what_they_are(tmp_path: Path) -> None:
    one = ledger(tmp_path / "a", [("p", 1, (1, 2))], runs=("torch7", "pil"))
    two = ledger(tmp_path / "b", [("p", 1, (2, 1))], runs=("pil", "torch7"))
    assert pairs(one, two) == ((0, 1), (1, 0))
    assert pairs(one, one) == ((0, 1),)


def test_runs_of_one_name_are_paired_in_their_order(tmp_path: Path) -> None:
    one = ledger(tmp_path / "a", [("p", 1, (1, 2))], runs=("pil", "pil"))
    two = ledger(tmp_path / "b", [("p", 1, (2, 1, 3))], runs=("pil", "torch7", "pil"))
    assert pairs(one, two) == ((0, 0), (1, 2))


def test_what_names_do_not_tell_of_two_runs_is_said() -> None:
    other = {**RUN, "weights_sha256": "cd", "preprocessing": {"scale": None, "crop": 224}}
    assert difference(RUN, other) == "weights, scale 256 and none"
    assert difference(RUN, {**RUN}) is None
    white = {**RUN, "preprocessing": {**RUN["preprocessing"], "white": 255}}
    assert difference(RUN, white) == "white none and 255"
    unstated = {**RUN, "weights_sha256": "", "preprocessing": {}, "crops": 0}
    assert (difference(RUN, unstated), difference(unstated, RUN)) == (None, None)
    assert run_name(unstated) == run_name(RUN)


def test_interpolation_that_is_not_the_usual_one_is_in_the_name_and_tells_runs_apart(
    tmp_path: Path,
) -> None:
    """Of the usual one a ledger says nothing, so that it is as before there were others."""
    bicubic = {**RUN, "preprocessing": {**RUN["preprocessing"], "interpolation": "bicubic"}}
    assert run_name(bicubic) == run_name(RUN).replace("torch7", "torch7 bicubic")
    assert (difference(RUN, bicubic), difference(bicubic, RUN)) == (None, None)
    one, two = (ledger(tmp_path / name, [("p", 1, (1, 2))], runs=("pil", "pil")) for name in "ab")
    one.identity["runs"][1]["preprocessing"] = {"scale": 256, "interpolation": "bicubic"}
    two.identity["runs"][0]["preprocessing"] = {"scale": 256, "interpolation": "bicubic"}
    assert pairs(one, two) == ((0, 1), (1, 0))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"runs": [{', '"runs": 5, "x": [{', "line 1: a description of each run expected"),
        ('"pipeline"', '"pipe"', "line 1: a description of each run expected"),
        ('{"scale": 256, "crop": 224}', "3", "line 1: a description of each run expected"),
        (
            '[[2, 7]], "confidence": [0.5]',
            '[[2, 7], [2, 7]], "confidence": [0.5, 0.5]',
            "line 3: the classes of 1 runs for an image, once, expected, found those of 2",
        ),
        ("[[2, 7]]", "[[2, 7], [2, 7]]", "found top5, confidence and fp32 of different numbers"),
        ('"network": "n"', '"network": ["n"]', "line 1: a description of each run expected"),
        ('"crops": 1', '"crops": 1e999', "line 1: a description of each run expected"),
        ("[[2, 7]]", "[[]]", "line 3: the classes of 1 runs .* found a run without any"),
        (
            '"q"',
            '"p"',
            "line 3: the classes of 1 runs for an image, once, .* found p again, .* in line 2",
        ),
    ],
    ids=[
        *("no runs", "no pipeline", "no preprocessing", "too many", "too many classes"),
        *("a list", "infinity", "no class", "twice"),
    ],
)
def test_ledger_that_was_changed_by_hand_is_not_compared(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "a"
    ledger(path, [("p", 1, (1,)), ("q", 1, (2,))])
    assert len(read_decided(path).entries) == 2
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(LedgerError, match=message):
        read_decided(path)


def test_values_of_a_ledger_are_shown_in_part() -> None:
    huge = {"network": "n" * 5000, "preprocessing": {"scale": 10**4000, "k" * 5000: [[1]] * 5000}}
    one, two = {**RUN, **huge}, {**RUN, "preprocessing": {"scale": "2" * 5000}}
    assert len(run_name(one)) < 300
    text = difference(one, two)
    assert text is not None
    assert len(text) <= 200
    assert text.startswith("scale a whole number of about 4,000 digits and '222")


def test_one_ledger_with_one_run_has_nothing_to_compare(tmp_path: Path) -> None:
    one = ledger(tmp_path / "a", [("p", 1, (1,))])
    with pytest.raises(LedgerError, match="one run only; name a second ledger"):
        pairs(one, one)


def test_entry_keeps_what_it_says_on_its_way_through_json() -> None:
    entry = Entry(
        batch=3,
        image="n01/a.JPEG",
        label=4,
        top_five=((4, 1), (1, 4)),
        confidence=(0.5, 0.25),
        reference=(4, None),
        form="CMYK",
    )
    assert Entry.from_fields(json.loads(json.dumps(entry.to_fields()))) == entry
