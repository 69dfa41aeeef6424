"""How far a run has come: sums over steps, and the best validation."""

import json
from dataclasses import replace

import pytest

from tests.train.run.test_state import progress
from train.run.progress import Best, Tally
from train.run.results import epoch_row
from train.step.pending_step import StepResult


def test_step_that_half_precision_skips_leaves_finite_numbers() -> None:
    first = StepResult(images=8, loss=4.0, wrong=1, norm=float("inf"))
    second = StepResult(images=8, loss=float("nan"), wrong=7, norm=float("nan"))
    third = StepResult(images=8, loss=2.0, wrong=1, norm=0.5)
    found = Tally()
    for seen in (first, second, third):
        found = found.plus(seen, 0.5)
    assert found == Tally(images=24, loss=6.0, wrong=9, steps=3, norms=0.5, skipped=2, seconds=1.5)
    row = epoch_row(replace(progress(), tally=found), lr=0.1, seconds=2.0)
    assert row["train"] == {"images": 24, "loss": 0.25, "wrong": 9, "gradient_norm": 0.5}
    json.dumps(row, allow_nan=False)


def test_tally_and_place_count_what_was_seen() -> None:
    found = progress()
    assert (found.epoch, found.step, found.stale) == (2, 2, 0)
    assert found.tally == Tally(images=16, loss=5.0, wrong=6, steps=2, norms=1.5, seconds=0.75)
    later = found.ended({"epoch": 2}, None)
    assert (later.epoch, later.step, later.stale, later.best) == (3, 0, 1, found.best)
    assert later.tally == Tally()


@pytest.mark.parametrize(
    ("wrong", "loss", "better"), [(4, 9.0, True), (5, 0.2, True), (5, 0.25, False), (6, 0.1, False)]
)
def test_fewer_wrong_are_better_and_the_loss_decides_between_equals(
    wrong: int, loss: float, better: bool
) -> None:
    best = Best(epoch=2, weights="weights", wrong=wrong, loss=loss)
    assert best.beats(progress().best) == better


def test_norm_that_was_not_measured_leaves_the_mean_of_the_others() -> None:
    found = Tally()
    for norm in (1.5, None, None, 2.5):
        found = found.plus(StepResult(images=8, loss=4.0, wrong=1, norm=norm), 0.5)
    assert (found.steps, found.unmeasured, found.skipped) == (4, 2, 0)
    row = epoch_row(replace(progress(), tally=found), lr=0.1, seconds=2.0)
    assert row["train"]["gradient_norm"] == 2.0
