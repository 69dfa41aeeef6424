"""What a page shows of classes: rows with bars, a matrix or pairs, names that fit."""

import numpy as np

from resnext.pages.class_counts import TopOne
from resnext.pages.class_table import (
    ClassRow,
    class_table,
    confusion_of,
    display_names,
    short_names,
)

ANSWERS = TopOne(
    labels=np.array([0, 0, 1, 1, 1, 2]),
    answers=np.array([0, 1, 1, 2, 2, 2], np.int32),
    classes=3,
)


def test_rows_begin_with_the_hardest_class() -> None:
    table = class_table([ANSWERS], "abc", most=9)
    assert (table.top, table.left) == (70, 0)
    assert table.rows == (
        ClassRow(
            name="b", errors=("66.67",), widths=(95.2,), counts=("2/3",), mistaken_for="c (2)"
        ),
        ClassRow(
            name="a", errors=("50.00",), widths=(71.4,), counts=("1/2",), mistaken_for="b (1)"
        ),
        ClassRow(name="c", errors=("0.00",), widths=(0.0,), counts=("0/1",), mistaken_for=""),
    )


def test_rows_that_are_too_many_are_counted() -> None:
    table = class_table([ANSWERS], "abc", most=1)
    assert ([row.name for row in table.rows], table.left) == (["b"], 2)


def test_confusion_of_few_classes_is_a_matrix() -> None:
    found = confusion_of(ANSWERS, "abc", most=9)
    assert [[cell.count for cell in row] for row in found.matrix] == [
        [1, 1, 0],
        [0, 1, 2],
        [0, 0, 1],
    ]
    assert [row[n].right for n, row in enumerate(found.matrix)] == [True] * 3
    assert found.matrix[0][1].shade == 0.707  # the root of a half
    assert found.pairs == ()


def test_confusion_of_many_classes_is_a_list_of_pairs() -> None:
    many = TopOne(labels=ANSWERS.labels, answers=ANSWERS.answers, classes=31)
    found = confusion_of(many, [f"class {n}" for n in range(31)], most=1)
    assert [(pair.label, pair.answer, pair.count) for pair in found.pairs] == [
        ("class 1", "class 2", 2)
    ]
    assert found.matrix == ()


def test_two_classes_of_one_name_get_their_index() -> None:
    assert display_names(["crane", "crane", "a\nb"]) == ("crane [0]", "crane [1]", r"a\nb")


def test_long_names_are_shortened_while_they_stay_different() -> None:
    assert short_names(["ant", "a" * 21]) == ["ant", "a" * 10 + "…" + "a" * 10]
    names = ["species 1 of the family of bees", "species 2 of the family of bees"]
    assert short_names(names)[0] == "species 1 …ly of bees"
    alike = [f"{'x' * 25}{number}{'y' * 25}" for number in range(2)]
    assert short_names(alike) == alike
