"""When a run that has begun may have another number of epochs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from train.recipe.changes import changed
from train.recipe.recipe import (
    CIFAR_2017,
    FINETUNE,
    IMAGENET_2017,
    Recipe,
    ScheduleShape,
)
from train.run.extension import extension
from train.run.folder import StateError
from train.run.progress import Progress
from train.run.state import State

PATH = Path("run/state.safetensors")
STEPS = 5
CONSTANT = changed(FINETUNE, {"curve": ScheduleShape.CONSTANT})


def state(recipe: Recipe, *, epoch: int, step: int = 0) -> State:
    """Return a state in an epoch, as a file holds it."""
    identity = json.loads(json.dumps({"recipe": recipe.to_fields(), "seed": 0}))
    progress = Progress(epoch=epoch, step=step)
    return State(identity=identity, progress=progress, network={}, optimizer={})


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    return changed(recipe, {"epochs": epochs})


@pytest.mark.parametrize(
    ("before", "epoch", "step", "epochs"),
    [
        (CONSTANT, 16, 0, 100),
        (CONSTANT, 3, 2, 3),
        (IMAGENET_2017, 101, 0, 130),
        (IMAGENET_2017, 101, 0, 100_000),
        (CIFAR_2017, 148, 0, 400),
        (CIFAR_2017, 300, 5, 301),
        (CIFAR_2017, 9, 3, 20),
        (FINETUNE, 1, 4, 100),
        (FINETUNE, 1, 0, 100),
    ],
    ids=[
        *("constant", "shorter", "every 30", "far", "parts, before the first fall"),
        *("parts that agree", "parts, shorter", "cosine in its warm-up", "nothing taken"),
    ],
)
def test_epochs_that_change_no_step_are_taken(
    before: Recipe, epoch: int, step: int, epochs: int
) -> None:
    after = with_epochs(before, epochs)
    found = extension(state(before, epoch=epoch, step=step), after, steps=STEPS, path=PATH)
    assert found is not None
    assert found.identity["recipe"] == json.loads(json.dumps(after.to_fields()))
    assert found.progress == Progress(epoch=epoch, step=step)


@pytest.mark.parametrize(
    ("before", "epoch", "step", "epochs", "part"),
    [
        (FINETUNE, 3, 0, 20, "15 expected, as the cosine of the learning rate falls over"),
        (FINETUNE, 2, 2, 16, "a step of epoch 2 had the rate"),
        (CIFAR_2017, 301, 0, 400, "a step of epoch 148 had the rate 0.01, and would have had"),
        (CIFAR_2017, 11, 0, 20, "a step of epoch 10 had the rate 0.1, and would have had 0.01"),
        (CONSTANT, 4, 1, 3, "--epochs 3: at least 4 expected, as the run has begun so many"),
        (CONSTANT, 5, 0, 3, "--epochs 3: at least 4 expected, as the run has begun so many"),
    ],
    ids=["cosine", "soon", "parts", "shorter", "begun", "done"],
)
def test_epochs_that_change_a_step_are_refused(
    before: Recipe, epoch: int, step: int, epochs: int, part: str
) -> None:
    saved = state(before, epoch=epoch, step=step)
    with pytest.raises(StateError) as caught:
        extension(saved, with_epochs(before, epochs), steps=STEPS, path=PATH)
    assert part in str(caught.value)
    assert str(caught.value).startswith("run/state.safetensors: --epochs ")


def test_warm_up_that_would_have_been_longer_is_refused() -> None:
    # That of the recipe, of one epoch, is half of a run of one.
    saved = state(with_epochs(CONSTANT, 1), epoch=2)
    with pytest.raises(StateError, match="as the warm-up depends on the length of the run"):
        extension(saved, with_epochs(CONSTANT, 9), steps=STEPS, path=PATH)


def test_other_differences_are_left_to_the_comparison() -> None:
    saved = state(CONSTANT, epoch=2)
    assert extension(saved, CONSTANT, steps=STEPS, path=PATH) is None
    other = with_epochs(replace(CONSTANT, weight_decay=0.5), 30)
    assert extension(saved, other, steps=STEPS, path=PATH) is None


@pytest.mark.parametrize(
    "recipe", [None, [], {}, {"epochs": "many"}, {"epochs": 0, "schedule": {"warmup": 1}}]
)
def test_damaged_recipe_is_left_to_the_comparison(recipe: object) -> None:
    saved = replace(state(CONSTANT, epoch=2), identity={"recipe": recipe})
    assert extension(saved, CONSTANT, steps=STEPS, path=PATH) is None
