"""The learning rate at every step.

Source: `Trainer:learningRate` in train.lua of the original release.
"""

from dataclasses import dataclass
from math import cos, pi
from typing import assert_never

from train.recipe.recipe import Curve, Recipe, Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A step of a run.

    Attributes:
        epoch: counted from 1.
        step: of the epoch, counted from 0.
        steps: of an epoch.
        epochs: of the run.
    """

    epoch: int
    step: int
    steps: int
    epochs: int

    @property
    def done(self) -> int:
        """Count the steps before this one."""
        return (self.epoch - 1) * self.steps + self.step


def learning_rate(recipe: Recipe, moment: Moment) -> float:
    """Return the learning rate of a step, before any factor of a layer."""
    schedule = recipe.schedule
    rising = round(schedule.warmup * moment.steps)
    if moment.done < rising:
        return recipe.scaled_rate * (moment.done + 1) / (rising + 1)
    return recipe.scaled_rate * _part(schedule, moment, rising)


def _part(schedule: Schedule, moment: Moment, rising: int) -> float:
    """Return the rate over the highest one, after a warm-up of `rising` steps."""
    match schedule.curve:
        case Curve.STEP:
            return 0.1 ** _falls(schedule, moment)
        case Curve.COSINE:
            falling = moment.epochs * moment.steps - rising
            return 0.5 * (1 + cos(pi * (moment.done - rising) / falling))
        case Curve.CONSTANT:
            return 1.0
    assert_never(schedule.curve)


def _falls(schedule: Schedule, moment: Moment) -> int:
    """Count how often the rate has fallen, once for each epoch, as the original did."""
    if schedule.every is not None:
        return (moment.epoch - 1) // schedule.every
    return sum(moment.epoch / moment.epochs > part for part in schedule.after)
