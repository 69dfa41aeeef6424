import subprocess
import sys

import pytest

from resnext.inference.plan import make_plan


def test_all_images_are_planned_in_their_order() -> None:
    plan = make_plan(5, limit=None, seed=0, batch_size=2)
    assert [plan.batch(number).tolist() for number in range(plan.batches)] == [[0, 1], [2, 3], [4]]
    assert [plan.first(number) for number in range(plan.batches)] == [0, 2, 4]


@pytest.mark.parametrize("limit", [5, 6])
def test_limit_that_is_not_smaller_takes_all(limit: int) -> None:
    assert make_plan(5, limit=limit, seed=3, batch_size=2).positions.tolist() == [0, 1, 2, 3, 4]


def test_sample_is_not_the_first_images_and_has_no_image_twice() -> None:
    positions = make_plan(1000, limit=100, seed=0, batch_size=16).positions.tolist()
    assert positions == sorted(set(positions))
    assert len(positions) == 100
    assert sum(position >= 500 for position in positions) > 30


def test_sample_of_a_seed_is_the_same_for_ever() -> None:
    samples = [
        make_plan(1000, limit=5, seed=seed, batch_size=1).positions.tolist() for seed in (0, 1)
    ]
    assert samples == [[394, 430, 776, 864, 911], [137, 582, 782, 821, 867]]


def test_sample_depends_on_the_seed_alone() -> None:
    code = (
        "from resnext.inference.plan import make_plan;"
        "print(make_plan(1000, limit=5, seed={}, batch_size=1).positions.tolist())"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code.format(seed)], capture_output=True, text=True, check=True
        ).stdout
        for seed in (0, 0, 1)
    ]
    assert answers[0] == answers[1] != answers[2]
