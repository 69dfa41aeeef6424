"""What cannot go together: two options, an option and nothing, a new run and an older one."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from resnext.checkpoint import Checkpoint
from train.errors import RecipeError, StateError
from train.input.options import Config
from train.input.split import Images
from train.run.files import LOCK, METRICS, REPORT, RESULTS, SPLIT, STATE


@dataclass(frozen=True, slots=True)
class Clash:
    """Two options that contradict each other.

    Attributes:
        one, other: as they are typed.
        reason: why they do.
    """

    one: str
    other: str
    reason: str


CLASHES: Final = (
    Clash("--compile", "--save-memory", "a compiled network decides what it computes twice"),
    Clash("--resume", "--force", "the one goes on with what the other removes"),
    Clash("--init", "--depth", "a checkpoint brings its own architecture"),
    Clash("--val-data", "--val-fraction", "images to validate with are others, or part of these"),
    Clash("--preprocessing", "--claims", "each states what the network sees of a picture"),
)
# Results that are no networks.
OTHERS: Final = (METRICS, REPORT, SPLIT)
# Options that say what becomes of a checkpoint.
NEED_INIT: Final = ("--claims", "--reset-classifier")


def check_options(config: Config) -> None:
    """Check what can be checked of the options alone.

    Raises:
        RecipeError: two that contradict each other, or one that lacks what it is about.
    """
    given = _given(config)
    for clash in CLASHES:
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


def check_output(config: Config) -> None:
    """Check that a run loses no results of another.

    Raises:
        StateError: it would.
        CheckpointError: a file is called like a result, and is none.
    """
    state = config.output / STATE
    if state.exists() and config.resume:
        return
    if state.exists() and not config.force:
        raise StateError(
            f"{state}: there is a run already; --resume goes on with it, --force starts anew, "
            "another --output keeps it"
        )
    found = [path for path in (config.output / name for name in RESULTS) if path.exists()]
    if config.init and Path(config.init).resolve() in [path.resolve() for path in found]:
        raise StateError(
            f"{config.init}: a checkpoint that this run does not replace expected; another "
            "--output keeps it"
        )
    # What a run writes beside its networks. Where none was at work, it is somebody's own.
    foreign = [path for path in (config.output / name for name in OTHERS) if path.exists()]
    ours = any((config.output / name).exists() for name in (LOCK, STATE))
    if foreign and not (config.force or ours):
        raise StateError(
            f"{foreign[0]}: a run writes a file of this name, and this one is of none; --force "
            "replaces it, another --output keeps it"
        )
    # A run that was killed at the end of its first epoch has networks, and no state yet.
    begun = config.resume and all(map(_is_of_first_epoch, found))
    if found and not (begun or config.force):
        raise StateError(
            f"{found[0]}: the result of a run whose {STATE} is gone; --force starts anew over it, "
            "another --output keeps it"
        )


def check_place(output: Path, images: Images) -> None:
    """Check that the folder of a run does not become one of the images.

    Raises:
        StateError: it lies among them, and is not hidden from whoever lists them.
    """
    place = output.resolve()
    for root in (Path(images.train.root).resolve(), Path(images.val.root).resolve()):
        inner = place.relative_to(root).parts if place.is_relative_to(root) else (".",)
        if not inner or not inner[0].startswith("."):
            raise StateError(
                f"--output {output}: a folder outside of the images expected, found one in {root}, "
                "where it would be taken for images"
            )


def _given(config: Config) -> set[str]:
    """Return those options that may contradict others, of those that were given."""
    there = {
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
    return {name for name, value in there.items() if value}


def _is_of_first_epoch(path: Path) -> bool:
    training = Checkpoint.load(path).training
    return training is not None and training.get("epoch") == 1
