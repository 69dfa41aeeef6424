"""Training recipes: those of 2017, and one for fine-tuning.

Sources: opts.lua, train.lua and datasets/*.lua of the original release.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from resnext.errors import ResnextError
from resnext.spec import Spec, Stem
from train.recipe.augmentation import Augmentation, Crop

# The first part of every network; the others are its stages.
STEM: Final = "stem"


class RecipeError(ResnextError):
    """Options that contradict each other, the network or the images."""


class ScheduleShape(StrEnum):
    """How the learning rate falls over a run.

    STEP: divided by ten between epochs. COSINE: half a cosine to zero, updated at each step.
    CONSTANT: stays the same.
    """

    STEP = "step"
    COSINE = "cosine"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the learning rate changes.

    Attributes:
        curve: how it falls.
        every: for STEP, epochs between two divisions; None uses `after`.
        after: for STEP, fractions of the run after which it is divided.
        warmup: epochs over which it first rises linearly from nearly zero; may be a fraction.
    """

    curve: ScheduleShape
    every: int | None = None
    after: tuple[float, ...] = ()
    warmup: float = 0.0


class Optimizer(StrEnum):
    """How gradients become a step, named as in torch.

    SGD: with Nesterov momentum, without dampening (2017). ADAMW: Adam with decoupled weight decay.
    """

    SGD = "sgd"
    ADAMW = "adamw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what a training computes, except the images and initial weights.

    Attributes:
        name: of the row of `RECIPES` that it was derived from.
        stem: of a network that is trained from scratch with it.
        epochs: passes over the training images.
        batch_size: images of one step, over all processes.
        lr: the learning rate at `lr_batch_size` images a step.
        lr_batch_size: batch size to which `lr` applies, and from which the learning rate is scaled
            linearly; None uses `lr` unscaled.
        optimizer: SGD or AdamW.
        momentum: of SGD.
        betas: of AdamW, the decays of the averages of the gradient and of its square.
        eps: of AdamW, added to the denominator.
        weight_decay: of every parameter, including biases and batch norm.
        accumulate: micro-batches per step (gradient accumulation).
        clip: largest norm of the gradient; 0 does not clip.
        freeze: the last frozen part, of "stem", "layer1" ...; "" freezes nothing.
        layer_decay: learning rate of each residual block relative to the next; 1 for equal rates.
        label_smoothing: fraction of the target that is spread over all classes.
        class_weights: pairs of class name and factor of its loss; None weighs all equally.
        mixup: both parameters of mixup's beta distribution; 0 disables it.
        ema: decay of the exponential moving average of the weights; 0 keeps no average.
        patience: epochs without a better validation after which the run ends; 0 never ends it.
        sync_bn: batch norm's statistics are computed over all processes.
        precision: "fp32", "tf32", "bf16" or "fp16", of the training.
        channels_last: memory format NHWC. Faster everywhere, but PyTorch's batch norm on a CPU
            then sums in another order, so that the last digits differ.
    """

    name: str
    stem: Stem
    epochs: int
    batch_size: int
    lr: float
    lr_batch_size: int | None
    schedule: Schedule
    augmentation: Augmentation
    optimizer: Optimizer = Optimizer.SGD
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-4
    accumulate: int = 1
    clip: float = 0.0
    freeze: str = ""
    layer_decay: float = 1.0
    label_smoothing: float = 0.0
    class_weights: tuple[tuple[str, float], ...] | None = None
    mixup: float = 0.0
    ema: float = 0.0
    patience: int = 0
    sync_bn: bool = False
    precision: str = "fp32"
    channels_last: bool = False

    def __post_init__(self) -> None:
        changes = self.augmentation
        for option, (least, most) in (
            ("--crop-scale", changes.crop_scale),
            ("--crop-ratio", changes.crop_ratio),
        ):
            if least > most:
                raise RecipeError(
                    f"{option} {least:g} {most:g}: the least first expected, then the largest"
                )
        if self.accumulate > self.batch_size:
            raise RecipeError(
                f"--accumulate {self.accumulate}: at most --batch-size {self.batch_size} parts "
                "expected"
            )
        if self.schedule.warmup >= self.epochs:
            raise RecipeError(
                f"--warmup {self.schedule.warmup:g}: less than the {self.epochs} --epochs expected"
            )

    @property
    def scaled_lr(self) -> float:
        """Return the learning rate at this recipe's batch size."""
        return self.lr * (self.batch_size / self.lr_batch_size if self.lr_batch_size else 1.0)

    def to_fields(self) -> dict[str, Any]:
        """Return the recipe as plain values, ready for JSON."""
        return asdict(self)


IMAGENET_2017: Final = Recipe(
    name="imagenet-2017",
    stem=Stem.IMAGENET,
    epochs=100,
    batch_size=256,
    lr=0.1,
    lr_batch_size=256,
    weight_decay=1e-4,
    schedule=Schedule(curve=ScheduleShape.STEP, every=30),
    augmentation=Augmentation(
        crop=Crop.RANDOM_RESIZED_CROP,
        crop_scale=(0.08, 1.0),
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        pca_lighting=0.1,
    ),
)
CIFAR_2017: Final = Recipe(
    name="cifar-2017",
    stem=Stem.CIFAR,
    epochs=300,
    batch_size=128,
    lr=0.1,
    lr_batch_size=128,
    weight_decay=5e-4,
    schedule=Schedule(curve=ScheduleShape.STEP, after=(0.49, 0.74)),
    augmentation=Augmentation(crop=Crop.RANDOM_CROP, padding=4),
)
# For some hundred to some ten thousand images. The weights are already good: a small learning rate
# with warm-up that ends at zero, crops that keep most of the image, no colour changes.
FINETUNE: Final = Recipe(
    name="finetune",
    stem=Stem.IMAGENET,
    epochs=15,
    batch_size=32,
    lr=0.16,
    lr_batch_size=256,
    weight_decay=1e-4,
    schedule=Schedule(curve=ScheduleShape.COSINE, warmup=1.0),
    augmentation=Augmentation(crop=Crop.RANDOM_RESIZED_CROP, crop_scale=(0.35, 1.0)),
    channels_last=True,
)
RECIPES: Final = {row.name: row for row in (IMAGENET_2017, CIFAR_2017, FINETUNE)}


def frozen_parts(spec: Spec, last: str) -> tuple[str, ...]:
    """Return the names of the parts of a network up to and including `last`, from the input on.

    Args:
        spec: of the network, whose parts are the stem and the stages.
        last: name of a part; "" returns none.

    Raises:
        RecipeError: the network has no such part.
    """
    if not last:
        return ()
    names = (STEM, *spec.stage_names)
    if last not in names:
        raise RecipeError(f"--freeze {last}: {', '.join(names)} expected, as the network has them")
    return names[: names.index(last) + 1]
