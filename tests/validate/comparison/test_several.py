from pathlib import Path

import pytest

from tests.support.ledgers import IMAGENET_RUN, write_ledger
from validate.comparison.several import ChosenRun, Overview, overview
from validate.comparison.text import overview_lines, p_words
from validate.ledger.reading import read_decided
from validate.ledger.stored import LedgerError

# (label, best class of each of three runs) of five pictures.
ROWS = {
    "p": (1, (1, 1, 1)),
    "q": (1, (2, 2, 2)),
    "r": (1, (2, 3, 2)),
    "s": (1, (1, 1, 2)),
    "t": (1, (1, 2, 2)),
}


def ledgers(tmp_path: Path, *, labels: tuple[int, int, int] = (1, 1, 1)) -> list[ChosenRun]:
    """Return the three runs, each of a ledger of its own; the last has one picture more."""
    found = []
    for run in range(3):
        lines: list[dict[str, object]] = [
            {
                "batch": 0,
                "image": image,
                "label": labels[run],
                "top5": [[answers[run]]],
                "confidence": [0.5],
            }
            for image, (_, answers) in ROWS.items()
        ]
        if run == 2:
            lines.append({**lines[0], "image": "u"})
        name = ("torch7", "pil", "opencv")[run]
        path = tmp_path / name
        write_ledger(path, lines, runs=[{**IMAGENET_RUN, "network": "n", "pipeline": name}])
        found.append(ChosenRun(stored=read_decided(path), place=0))
    return found


@pytest.fixture
def found(tmp_path: Path) -> Overview:
    return overview(ledgers(tmp_path))


def test_images_that_every_run_gets_wrong_are_told_from_those_that_some_do(
    found: Overview,
) -> None:
    assert (found.images, found.others, found.right) == (5, 1, (3, 2, 1))
    assert (found.right_in_all, found.right_in_some) == (1, 2)
    assert [(case.image, case.answers) for case in found.wrong_in_all] == [
        ("q", (2, 2, 2)),
        ("r", (2, 3, 2)),
    ]
    assert [case.image for case in found.differing] == ["r", "s", "t"]


def test_every_pair_has_its_test(found: Overview) -> None:
    """Of two that only one gets right, one split in four is so uneven: p = 2 / 2**2."""
    pairs = [(p.places, p.comparison.lost, p.comparison.gained) for p in found.pairs]
    assert pairs == [((0, 1), 1, 0), ((0, 2), 2, 0), ((1, 2), 1, 0)]
    assert [pair.comparison.p_value for pair in found.pairs] == [1, 0.5, 1]
    assert [pair.p_adjusted for pair in found.pairs] == [1, 1, 1]


def test_lines_name_the_runs_and_list_the_images(found: Overview, tmp_path: Path) -> None:
    lines = [*overview_lines(found, 1)]
    assert lines[0] == f"1: n, torch7, fp32 ({tmp_path / 'torch7'}): 3 right"
    assert (
        "exact McNemar tests of 3 pairs of runs; p also adjusted for their number (Holm)" in lines
    )
    assert (
        "  1 and 3: 5 images, 2 answered differently, 2 right only in 1, 0 only in 3, p = 0.5, "
        "adjusted 1"
    ) in lines
    place = lines.index("wrong in all, by the answers of the runs:")
    assert lines[place + 1 : place + 3] == [
        "  q: label 1, answers 2, 2, 2",
        "  and 1 more; --all lists them",
    ]


@pytest.mark.parametrize(
    ("p", "words"), [(1.0, "= 1"), (0.03125, "= 0.0312"), (1e-300, "= 1e-300"), (0.0, "< 1e-300")]
)
def test_p_that_no_number_holds_is_not_called_nothing(p: float, words: str) -> None:
    assert p_words(p) == words


def test_labels_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="they are of different image sets"):
        overview(ledgers(tmp_path, labels=(1, 1, 2)))
