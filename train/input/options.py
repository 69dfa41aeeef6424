"""What a command line asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.input.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One training, as it was asked for.

    Attributes:
        data: where the images are; see `resnext.images.opening.open_images`.
        output: folder of the results.
        val_data: images to validate with, where they lie elsewhere.
        val_fraction: part of each class to validate with, where nothing else is; or None.
        init: checkpoint, or name of a published network, to begin with; None begins anew.
        reset_classifier: begin with another classifier in any case.
        architecture: of a network that begins anew; or None.
        preprocessing: name or file that replaces the checkpoint's own; or None.
        claims: table of the user's own, whose row states the preprocessing; or None.
        cache: folder of downloads; None is the user's own.
        recipe: name of a row; None takes what suits `init` and `data`.
        changes: values of the row that the command line replaces; see `changed`.
        class_weights: "balanced", a TOML file of class names and factors, or None.
        seed: of everything random.
        workers: processes that read ahead, 0 reads in this one; None takes the device's usual.
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best there is.
        compiled: train with `torch.compile`.
        saves_memory: compute activations twice instead of keeping them.
        deterministic: a GPU gives the same bits each time.
        save_every: steps between two states within an epoch; 0 saves between epochs only.
        resume: go on from the state in `output`, if there is one.
        force: start anew over what is in `output`.
        tensorboard: write curves for TensorBoard too.
        check: read every image once before the training; None does so where they are few.
        command: as it was typed.
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
