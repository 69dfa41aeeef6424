"""Labels and answers, counted by class."""

import numpy as np

from resnext.pages.class_counts import TopOne

# The last image could not be read.
ANSWERS = TopOne(
    labels=np.array([0, 0, 1, 1, 1, 2, 2]),
    answers=np.array([0, 1, 1, 2, 2, 2, -1], np.int32),
    classes=4,
)


def test_confusion_matrix_counts_labels_by_answers() -> None:
    assert ANSWERS.confusion_matrix().tolist() == [
        [1, 1, 0, 0],
        [0, 1, 2, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_most_frequent_confusions_stand_first() -> None:
    assert ANSWERS.confusions(most=5) == [(1, 2, 2), (0, 1, 1)]
    assert ANSWERS.confusions(most=1) == [(1, 2, 2)]


def test_confusions_of_very_many_classes_take_little_memory() -> None:
    classes = 10_000_000  # a matrix of them would have 10^14 cells
    found = TopOne(
        labels=np.array([classes - 1, 0]),
        answers=np.array([classes - 2, 0], np.int32),
        classes=classes,
    )
    assert found.confusions(most=5) == [(classes - 1, classes - 2, 1)]


def test_counts_leave_out_what_could_not_be_read() -> None:
    counts = ANSWERS.counts()
    assert counts.images.tolist() == [2, 3, 1, 0]
    assert counts.wrong.tolist() == [1, 2, 0, 0]
    assert counts.answered.tolist() == [1, 2, 3, 0]
    assert counts.hardest().tolist() == [1, 0, 2]


def test_class_is_mistaken_for_its_wrong_answers() -> None:
    assert ANSWERS.mistaken_for(1, most=3) == [(2, 2)]
    assert ANSWERS.mistaken_for(2, most=3) == []
