"""More or fewer epochs for a run that has begun: only where the steps taken would be the same."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from resnext.fields import is_number, is_whole
from train.recipe.recipe import Recipe, RecipeError, ScheduleShape
from train.recipe.schedule import SchedulePoint, learning_rate
from train.run.folder import LAST, StateError
from train.run.progress import Progress
from train.run.state import State

# Far above the longest warm-up.
MOST_EPOCHS: Final = 10**9


def extension(state: State, recipe: Recipe, *, steps: int, path: Path) -> State | None:
    """Return a state as the run of this command's number of epochs would have saved it.

    The learning rate alone depends on the number of epochs. So a run that goes on with another one
    gives, in every bit, the weights of a run that had it from the start, if no step that was taken
    would have had another learning rate.

    Args:
        state: of the run.
        recipe: of this command.
        steps: of an epoch.
        path: of the state, for messages.

    Returns:
        None if the number of epochs is the same, or if something else differs too.

    Raises:
        StateError: a step would have had another learning rate, or more epochs than this are done.
    """
    before = _saved_recipe(state, recipe)
    if before is None or before.epochs == recipe.epochs:
        return None
    epochs, done = recipe.epochs, state.progress.epoch - (state.progress.step == 0)
    if done > epochs:
        raise StateError(
            f"{path}: --epochs {epochs}: at least {done} expected, as the run has begun so many"
        )
    for point in _points(state.progress, steps=steps, epochs=epochs):
        was = learning_rate(before, replace(point, epochs=before.epochs))
        would = learning_rate(recipe, point)
        if was != would:
            last = path.with_name(LAST)
            anew = f", or begin another with its weights (--init {last})" if last.exists() else ""
            raise StateError(
                f"{path}: --epochs {epochs}: {before.epochs} expected, as {_reason(recipe)}: "
                f"a step of epoch {point.epoch} had the rate {was:g}, and would have had {would:g} "
                f"in a run of {epochs}; go on without --epochs{anew}"
            )
    identity = json.loads(json.dumps(state.identity))
    identity["recipe"]["epochs"] = epochs
    identity["recipe"]["schedule"]["warmup"] = recipe.schedule.warmup
    return replace(state, identity=identity)


def _saved_recipe(state: State, recipe: Recipe) -> Recipe | None:
    """Return the recipe of a state if it differs in the number of epochs at most.

    The warm-up of a recipe may differ too: in a short run it is half of that.
    """
    saved = state.identity.get("recipe")
    saved = saved if isinstance(saved, dict) else {}
    schedule = saved.get("schedule")
    epochs, warmup = saved.get("epochs"), isinstance(schedule, dict) and schedule.get("warmup")
    if not is_whole(epochs) or not is_number(warmup, below=MOST_EPOCHS) or int(epochs) < 1:
        return None
    try:
        found = replace(
            recipe, epochs=int(epochs), schedule=replace(recipe.schedule, warmup=float(warmup))
        )
    except RecipeError:
        return None
    return found if json.loads(json.dumps(found.to_fields())) == saved else None


def _points(progress: Progress, *, steps: int, epochs: int) -> Iterator[SchedulePoint]:
    """Yield the first and the last step of each epoch that was begun.

    Within an epoch a rate rises, falls by a cosine or stays; where two schedules agree at both
    ends, they agree in between.
    """
    for epoch in range(1, progress.epoch + 1):
        taken = steps if epoch < progress.epoch else progress.step
        for step in {0, taken - 1} if taken else ():
            yield SchedulePoint(epoch=epoch, step=step, steps=steps, epochs=epochs)


def _reason(recipe: Recipe) -> str:
    match recipe.schedule.curve:
        case ScheduleShape.COSINE:
            return "the cosine of the learning rate falls over the whole run"
        case ScheduleShape.STEP if recipe.schedule.every is None:
            return "the learning rate falls after parts of the whole run"
        case _:
            return "the warm-up depends on the length of the run"
