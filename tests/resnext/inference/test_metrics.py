"""The best classes of logits."""

import numpy as np
import pytest

from resnext.inference.metrics import top_classes, top_five


@pytest.mark.parametrize("most", [1, 3, 5, 6, 7, 100])
def test_best_classes_are_those_of_python_sorting(most: int) -> None:
    logits = np.random.default_rng(0).integers(-3, 3, (20, 7)).astype(np.float32)
    wanted = [sorted(range(7), key=lambda label, row=row: -row[label])[:most] for row in logits]
    assert top_classes(logits, most).tolist() == wanted


def test_of_equal_logits_the_lower_class_is_first() -> None:
    assert top_classes(np.zeros((1, 9), np.float32), 8).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert top_five(np.array([[1.0, 3.0, 3.0]])).tolist() == [[1, 2, 0]]
