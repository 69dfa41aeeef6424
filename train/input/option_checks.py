"""Checks of the options of a training, before any image is listed or file fetched."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import convert
from train.input.options import TrainingConfig
from train.recipe.recipe import Recipe, RecipeError, frozen_parts


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two options that contradict each other.

    Attributes:
        one, other: as they are typed.
        reason: why they contradict each other.
    """

    one: str
    other: str
    reason: str


CONFLICTS: Final = (
    Conflict("--compile", "--save-memory", "a compiled network decides what it computes twice"),
    Conflict("--resume", "--force", "the one goes on with what the other removes"),
    Conflict("--init", "--depth", "a checkpoint brings its own architecture"),
    Conflict(
        "--val-data", "--val-fraction", "images to validate with are others, or part of these"
    ),
    Conflict("--preprocessing", "--claims", "each states what the network sees of a picture"),
)
# Options that are about the checkpoint of --init.
NEED_INIT: Final = ("--claims", "--reset-classifier")


def check_options(config: TrainingConfig) -> None:
    """Check that no two options contradict each other, and that none needed is missing.

    Raises:
        RecipeError: two options that contradict each other, or a missing option or package.
    """
    given = _given(config)
    for clash in CONFLICTS:
        if {clash.one, clash.other} <= given:
            raise RecipeError(f"{clash.one} or {clash.other} expected, found both: {clash.reason}")
    if not {"--init", "--depth"} & given:
        raise RecipeError(
            "--init CHECKPOINT expected, to begin with its weights, or --depth N, to begin anew"
        )
    for name in NEED_INIT:
        if name in given and "--init" not in given:
            raise RecipeError(f"{name}: --init expected beside it, whose checkpoint it is about")
    if config.tensorboard and find_spec("tensorboard") is None:
        raise RecipeError(
            "--tensorboard: TensorBoard expected, which is not installed: pip install tensorboard"
        )


def check_network(config: TrainingConfig, recipe: Recipe) -> None:
    """Check that the network exists and has the parts to freeze.

    Raises:
        ResnextError: the network is unknown, or has no such part.
    """
    if config.architecture is not None:
        spec = config.architecture.spec(recipe.stem, classes=2)  # the number does not matter here
    else:
        location = convert.find(str(config.init), cache=config.cache)
        if not recipe.freeze:
            return
        known = location.row.spec if location.row else None
        from resnext.download.bar import download_bar

        spec = known or convert.load(convert.fetch(location, download_bar)).spec
    frozen_parts(spec, recipe.freeze)


def _given(config: TrainingConfig) -> set[str]:
    """Return the options of `CONFLICTS` and `NEED_INIT` that were given."""
    values = {
        "--claims": config.claims,
        "--compile": config.compiled,
        "--depth": config.architecture,
        "--force": config.force,
        "--init": config.init is not None,
        "--preprocessing": config.preprocessing,
        "--reset-classifier": config.reset_classifier,
        "--resume": config.resume,
        "--save-memory": config.saves_memory,
        "--val-data": config.val_data,
        "--val-fraction": config.val_fraction,
    }
    return {name for name, value in values.items() if value}
