"""How networks are trained, as rows: those of 2017, and one for fine-tuning.

Sources: opts.lua, train.lua and datasets/*.lua of the original release.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from resnext.spec import Stem
from train.errors import RecipeError


class Crop(StrEnum):
    """How a training picture is cut out.

    SIZED: a rectangle of random area and shape, scaled to the crop (ImageNet in 2017). PADDED: a
    random square of the picture with a border of zeros around it (CIFAR in 2017). SHIFTED: a random
    square of the picture as it is scaled for validation.
    """

    SIZED = "sized"
    PADDED = "padded"
    SHIFTED = "shifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What a training picture goes through beside its normalisation.

    Attributes:
        crop: how it is cut out.
        area: least part of the picture that a sized crop takes.
        padding: pixels of zeros on each side before a padded crop.
        jitter: brightness, contrast and saturation change by up to this part, in random order.
        lighting: deviation of the shift along the principal colours of ImageNet.
        flip: probability of the mirror image.
    """

    crop: Crop
    area: float = 0.08
    padding: int = 4
    jitter: float = 0.0
    lighting: float = 0.0
    flip: float = 0.5


class Curve(StrEnum):
    """How the learning rate falls over a run.

    STEP: by a factor of ten, between epochs. COSINE: half a cosine to zero, from step to step.
    CONSTANT: not at all.
    """

    STEP = "step"
    COSINE = "cosine"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the learning rate changes.

    Attributes:
        curve: how it falls.
        every: under STEP, after every so many epochs; or None.
        after: under STEP, after these parts of all epochs.
        warmup: epochs over which it first rises from nearly zero; may be a fraction.
    """

    curve: Curve
    every: int | None = None
    after: tuple[float, ...] = ()
    warmup: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what a training computes, but for the images and the first weights.

    Attributes:
        name: of the row it began as.
        stem: of a network that is trained from scratch by it.
        epochs: passes over the training images.
        batch_size: images of one step, over all processes.
        rate: the learning rate at `rate_batch` images a step.
        rate_batch: the rate grows in proportion to the batch from here; None takes it as it is.
        momentum: of SGD, Nesterov's form, without dampening.
        weight_decay: of every parameter, biases and batch norm included.
        accumulate: parts that a step is computed in, one after the other.
        clip: largest norm of the gradient; 0 does not clip.
        freeze: the last part that does not learn, of "stem", "layer1" ...; "" freezes nothing.
        layer_decay: the rate of each residual block over that of the next; 1 for all the same.
        label_smoothing: part of the target that is spread over all classes.
        class_weights: class name -> factor of its loss; None weighs all the same.
        mixup: both parameters of the beta distribution that pairs are mixed by; 0 mixes nothing.
        ema: the average of the weights keeps this part at each step; 0 has no average.
        patience: epochs without a better validation after which the run ends; 0 never ends it.
        sync_bn: batch norm sees the pictures of all processes.
        precision: "fp32", "tf32", "bf16" or "fp16", of the training.
        channels_last: order of the numbers in memory. Faster everywhere, but on a CPU PyTorch's
            batch norm then adds up in another order, and some digits later.
    """

    name: str
    stem: Stem
    epochs: int
    batch_size: int
    rate: float
    rate_batch: int | None
    schedule: Schedule
    augmentation: Augmentation
    momentum: float = 0.9
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
    def scaled_rate(self) -> float:
        """Return the learning rate at this recipe's batch."""
        return self.rate * (self.batch_size / self.rate_batch if self.rate_batch else 1.0)

    def to_fields(self) -> dict[str, Any]:
        """Return the recipe as plain values, ready for JSON."""
        return asdict(self)


IMAGENET_2017: Final = Recipe(
    name="imagenet-2017",
    stem=Stem.IMAGENET,
    epochs=100,
    batch_size=256,
    rate=0.1,
    rate_batch=256,
    weight_decay=1e-4,
    schedule=Schedule(curve=Curve.STEP, every=30),
    augmentation=Augmentation(crop=Crop.SIZED, area=0.08, jitter=0.4, lighting=0.1),
)
CIFAR_2017: Final = Recipe(
    name="cifar-2017",
    stem=Stem.CIFAR,
    epochs=300,
    batch_size=128,
    rate=0.1,
    rate_batch=128,
    weight_decay=5e-4,
    schedule=Schedule(curve=Curve.STEP, after=(0.49, 0.74)),
    augmentation=Augmentation(crop=Crop.PADDED, padding=4),
)
# For hundreds to some ten thousands of pictures. The weights are good already: a small rate that
# rises first and ends at zero, crops that keep most of the picture, no changes of colour.
FINETUNE: Final = Recipe(
    name="finetune",
    stem=Stem.IMAGENET,
    epochs=15,
    batch_size=32,
    rate=0.16,
    rate_batch=256,
    weight_decay=1e-4,
    schedule=Schedule(curve=Curve.COSINE, warmup=1.0),
    augmentation=Augmentation(crop=Crop.SIZED, area=0.35),
    channels_last=True,
)
RECIPES: Final = {row.name: row for row in (IMAGENET_2017, CIFAR_2017, FINETUNE)}

# What `--schedule step` falls by where the row has another curve: that of CIFAR.
USUAL_STEPS: Final = CIFAR_2017.schedule.after

# Values of an augmentation that one kind of crop alone looks at, and the options that give them.
OF_CROPS: Final = {"area": ("--min-area", Crop.SIZED), "padding": ("--padding", Crop.PADDED)}

SCHEDULE_FIELDS: Final = frozenset(field.name for field in fields(Schedule))
AUGMENTATION_FIELDS: Final = frozenset(field.name for field in fields(Augmentation))


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some of its values replaced.

    Args:
        recipe: a row.
        changes: names of fields of `Recipe`, `Schedule` and `Augmentation` -> values. A `rate` is
            taken as it is, whatever the batch. The row's own warm-up gives way to a short run.

    Raises:
        RecipeError: they contradict each other.
    """
    changes = dict(changes)
    if "rate" in changes:
        changes["rate_batch"] = None
    schedule = {name: changes.pop(name) for name in SCHEDULE_FIELDS & set(changes)}
    epochs = changes.get("epochs", recipe.epochs)
    schedule = {"warmup": min(recipe.schedule.warmup, epochs / 2), **schedule}
    if "curve" in schedule:
        kept = recipe.schedule if schedule["curve"] is recipe.schedule.curve else None
        after = USUAL_STEPS if schedule["curve"] is Curve.STEP else ()
        steps = {"every": kept.every, "after": kept.after} if kept else {"after": after}
        schedule = {"every": None, **steps, **schedule}
    augmentation = {name: changes.pop(name) for name in AUGMENTATION_FIELDS & set(changes)}
    crop = augmentation.get("crop", recipe.augmentation.crop)
    for name, (option, kind) in OF_CROPS.items():
        if name in augmentation and crop is not kind:
            raise RecipeError(
                f"{option}: --crop-kind {kind} expected beside it, found {crop}, which does not "
                "look at it"
            )
    return replace(
        recipe,
        schedule=replace(recipe.schedule, **schedule),
        augmentation=replace(recipe.augmentation, **augmentation),
        **changes,
    )
