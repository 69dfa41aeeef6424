"""The learning rate at every step.

Source: `Trainer:learningRate` in train.lua of the original release.
"""

from dataclasses import dataclass
from math import cos, pi
from typing import assert_never

from train.recipe.recipe import Recipe, Schedule, ScheduleShape


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePoint:
    """A step of a run, as the schedule sees it.

    Attributes:
        epoch: counted from 1.
        step: of the epoch, counted from 0.
        steps: number of steps in an epoch.
        epochs: number of epochs in the run.
    """

    epoch: int
    step: int
    steps: int
    epochs: int

    @property
    def done(self) -> int:
        """Count the steps before this one."""
        return (self.epoch - 1) * self.steps + self.step


def learning_rate(recipe: Recipe, point: SchedulePoint) -> float:
    """Return the learning rate of a step, before any layer decay."""
    schedule = recipe.schedule
    rising = round(schedule.warmup * point.steps)
    if point.done < rising:
        return recipe.scaled_lr * (point.done + 1) / (rising + 1)
    return recipe.scaled_lr * _part(schedule, point, rising)


def _part(schedule: Schedule, point: SchedulePoint, rising: int) -> float:
    """Return the fraction of the peak rate that is left, after a warm-up of `rising` steps."""
    match schedule.curve:
        case ScheduleShape.STEP:
            return 0.1 ** _falls(schedule, point)
        case ScheduleShape.COSINE:
            falling = point.epochs * point.steps - rising
            return 0.5 * (1 + cos(pi * (point.done - rising) / falling))
        case ScheduleShape.CONSTANT:
            return 1.0
    assert_never(schedule.curve)


def _falls(schedule: Schedule, point: SchedulePoint) -> int:
    """Count how often the rate has been divided by ten; it changes between epochs only."""
    if schedule.every is not None:
        return (point.epoch - 1) // schedule.every
    return sum(point.epoch / point.epochs > part for part in schedule.after)
