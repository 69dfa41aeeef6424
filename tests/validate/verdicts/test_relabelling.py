import numpy as np
import pytest

from validate.verdicts.relabelling import Relabelling, find_relabelling

NAMES = ("ant", "bee", "cat", "dog", "eel")
RENAMED = (
    "the folder of '{}' seems to have been renamed, which changes the order of the classes, and so "
    "their labels"
)
EXCHANGED = "most images of some classes are answered as one another's, "
LABELS = np.repeat(np.arange(5), 10)


def found(mapping: tuple[int, ...], *, labels: np.ndarray = LABELS) -> Relabelling | None:
    answers = np.array(mapping)[labels].astype(np.int32)
    return find_relabelling(answers, labels, classes=5, rate=0.05, alpha=0.01)


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        (
            (1, 2, 3, 4, 0),
            (
                "most answers are one class beside the label, and those of 'eel' are 'ant': "
                + RENAMED.format("eel")
            ),
        ),
        (
            (4, 0, 1, 2, 3),
            (
                "most answers are one class beside the label, and those of 'ant' are 'eel': "
                + RENAMED.format("ant")
            ),
        ),
        (
            (0, 2, 3, 1, 4),
            (
                "most answers of the classes from 'bee' to 'dog' are one class beside the label, "
                "and those of 'dog' are 'bee': " + RENAMED.format("dog")
            ),
        ),
        (
            (0, 3, 2, 1, 4),
            (EXCHANGED + "'bee' as 'dog', 'dog' as 'bee': their folders or labels are swapped"),
        ),
        (
            (1, 0, 4, 2, 3),
            (
                EXCHANGED + "'ant' as 'bee', 'bee' as "
                "'ant', 'cat' as 'eel' and 2 more: their folders or labels are exchanged or renamed"
            ),
        ),
    ],
    ids=["last first", "first last", "part", "two", "several"],
)
def test_exchanged_classes_are_named(mapping: tuple[int, ...], text: str) -> None:
    relabelling = found(mapping)
    assert relabelling is not None
    assert relabelling.describe(NAMES) == text


def test_classes_without_names_have_numbers() -> None:
    relabelling = found((0, 2, 1, 3, 4))
    assert relabelling is not None
    assert "class 1 as class 2, class 2 as class 1: " in relabelling.describe(None)


@pytest.mark.parametrize(
    "mapping",
    [(0, 1, 2, 3, 4), (1, 1, 2, 3, 4), (2, 2, 2, 2, 2), (1, 2, 3, 4, 4)],
    ids=["right", "one way", "favourite", "no circle"],
)
def test_answers_that_are_no_exchange_are_none(mapping: tuple[int, ...]) -> None:
    assert found(mapping) is None


def test_many_exchanged_classes_are_another_order() -> None:
    order = np.random.default_rng(0).permutation(1000)
    labels = np.arange(3000) % 1000
    relabelling = find_relabelling(
        order[labels].astype(np.int32), labels, classes=1000, rate=0.2, alpha=0.01
    )
    assert relabelling is not None
    assert len(relabelling.answered) == 1000 - int((order == np.arange(1000)).sum())
    assert "the labels are in another order (the devkit's ids" in relabelling.describe(None)


@pytest.mark.parametrize(("each", "seen"), [(9, False), (10, True)])
def test_few_images_of_two_classes_are_not_enough(each: int, *, seen: bool) -> None:
    labels = np.repeat(np.arange(5), each)
    assert (found((0, 3, 2, 1, 4), labels=labels) is not None) is seen


def test_exchange_that_the_claimed_error_explains_is_none() -> None:
    """Six of ten of each of two classes, where eleven of twenty are wrong anyway."""
    answers = LABELS.astype(np.int32)
    answers[10:16], answers[30:36] = 3, 1
    assert find_relabelling(answers, LABELS, classes=5, rate=0.55, alpha=0.01) is None
    assert find_relabelling(answers, LABELS, classes=5, rate=0.05, alpha=0.01) is not None
