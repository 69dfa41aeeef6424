"""The options of a training, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnext.preprocessing import PREPROCESSINGS
from train.input.command_line import CommandLine
from train.recipe.changes import changed
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017, RECIPES, Recipe

if TYPE_CHECKING:
    from train.input.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The options of one training.

    Attributes:
        data: source of the images; see `resnext.images.sources.opening.open_images`.
        output: folder of the run.
        val_data: source of other images to validate with, or None.
        val_fraction: fraction of each class that is kept for validation, or None.
        init: checkpoint, or name of a published network, to start from; None trains from scratch.
        reset_classifier: replace the checkpoint's classifier even if it has the same classes.
        architecture: of a network that is trained from scratch, or None.
        preprocessing: name or file that replaces the checkpoint's own, or None.
        claims: the user's table of claims, whose row gives the preprocessing, or None.
        scale: pixels of the shorter side of a scaled picture, 0 scales nothing; None is that of the
            preprocessing, or one that fits the pictures.
        crop: pixels of the network's input, or None for that of the preprocessing.
        cache: folder of downloads; None is the user's cache folder.
        recipe: name of a recipe; None chooses by `init` and `data`.
        changes: values of the recipe that options replace; see `changed`.
        class_weights: "balanced", a TOML file of class names and factors, or None.
        seed: of everything random.
        workers: processes that read images ahead, 0 for none; None is usual for the device.
        device: "cpu", "cuda", "cuda:1", "mps"; None is the best one there is.
        compiled: train with `torch.compile`.
        saves_memory: recompute activations instead of keeping them.
        deterministic: a GPU gives the same bits in each run.
        save_every: steps between two saved states within an epoch; 0 saves after epochs only.
        resume: go on from the state in `output`, if there is one.
        force: replace the run in `output`.
        tensorboard: write curves for TensorBoard too.
        check: read every image once before the training; None does so for few images.
        command: as it was typed.
        command_line: its options, with which its run can go on.
    """

    data: str
    output: Path
    val_data: str | None = None
    val_fraction: float | None = None
    init: str | None = None
    reset_classifier: bool = False
    architecture: "Architecture | None" = None
    preprocessing: str | None = None
    claims: Path | None = None
    scale: int | None = None
    crop: int | None = None
    cache: Path | None = None
    recipe: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    class_weights: str | None = None
    seed: int = 0
    workers: int | None = None
    device: str | None = None
    compiled: bool = False
    saves_memory: bool = False
    deterministic: bool = False
    save_every: int = 0
    resume: bool = False
    force: bool = False
    tensorboard: bool = False
    check: bool | None = None
    command: str = ""
    command_line: CommandLine = field(default_factory=CommandLine)


def chosen_recipe(config: TrainingConfig) -> Recipe:
    """Return the recipe that the options name, or the usual one for the network and images.

    Raises:
        RecipeError: its values contradict each other.
    """
    if config.recipe is not None:
        row = RECIPES[config.recipe]
    elif config.init is not None:
        row = FINETUNE
    else:
        row = CIFAR_2017 if config.data in PREPROCESSINGS else IMAGENET_2017
    return changed(row, config.changes)
