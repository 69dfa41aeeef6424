"""Training recipes: those of 2017, one for fine-tuning, and how options change them.

Sources: opts.lua, train.lua and datasets/*.lua of the original release.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from resnext.errors import ResnextError
from resnext.spec import Spec, Stem

# The first part of every network; the others are its stages.
STEM: Final = "stem"


class RecipeError(ResnextError):
    """Options that contradict each other, the network or the images."""


class Crop(StrEnum):
    """How a training image is cropped.

    SIZED: a random area and aspect ratio, resized to the crop (ImageNet in 2017). PADDED: a random
    square of the zero-padded image (CIFAR in 2017). SHIFTED: a random square of the image as it is
    resized for validation.
    """

    SIZED = "sized"
    PADDED = "padded"
    SHIFTED = "shifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """The random changes to a training image, beside its normalisation.

    Attributes:
        crop: how it is cropped.
        area: smallest fraction of the image's area that a sized crop takes.
        padding: pixels of zeros on each side before a padded crop.
        jitter: largest relative change of brightness, contrast and saturation, which are applied
            in random order.
        lighting: standard deviation of the shift along ImageNet's principal colour components.
        flip: probability of a horizontal flip.
    """

    crop: Crop
    area: float = 0.08
    padding: int = 4
    jitter: float = 0.0
    lighting: float = 0.0
    flip: float = 0.5


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what a training computes, except the images and initial weights.

    Attributes:
        name: of the row of `RECIPES` that it was derived from.
        stem: of a network that is trained from scratch with it.
        epochs: passes over the training images.
        batch_size: images of one step, over all processes.
        rate: the learning rate at `rate_batch` images a step.
        rate_batch: batch size to which `rate` applies, and from which the learning rate is scaled
            linearly; None uses `rate` unscaled.
        momentum: of SGD with Nesterov momentum, without dampening.
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
        """Return the learning rate at this recipe's batch size."""
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
    schedule=Schedule(curve=ScheduleShape.STEP, every=30),
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
    schedule=Schedule(curve=ScheduleShape.STEP, after=(0.49, 0.74)),
    augmentation=Augmentation(crop=Crop.PADDED, padding=4),
)
# For some hundred to some ten thousand images. The weights are already good: a small learning rate
# with warm-up that ends at zero, crops that keep most of the image, no colour changes.
FINETUNE: Final = Recipe(
    name="finetune",
    stem=Stem.IMAGENET,
    epochs=15,
    batch_size=32,
    rate=0.16,
    rate_batch=256,
    weight_decay=1e-4,
    schedule=Schedule(curve=ScheduleShape.COSINE, warmup=1.0),
    augmentation=Augmentation(crop=Crop.SIZED, area=0.35),
    channels_last=True,
)
RECIPES: Final = {row.name: row for row in (IMAGENET_2017, CIFAR_2017, FINETUNE)}

# Steps of `--schedule step` where the recipe's own schedule has another shape: those of CIFAR.
USUAL_STEPS: Final = CIFAR_2017.schedule.after

# Fields of an augmentation that apply to one kind of crop only, and the options that set them.
OF_CROPS: Final = {"area": ("--min-area", Crop.SIZED), "padding": ("--padding", Crop.PADDED)}

SCHEDULE_FIELDS: Final = frozenset(field.name for field in fields(Schedule))
AUGMENTATION_FIELDS: Final = frozenset(field.name for field in fields(Augmentation))


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some of its values replaced.

    Args:
        recipe: a row of `RECIPES`.
        changes: names of fields of `Recipe`, `Schedule` and `Augmentation` -> values. A given
            `rate` is not scaled with the batch. The row's own warm-up is shortened to half of a
            short run.

    Raises:
        RecipeError: the values contradict each other.
    """
    changes = dict(changes)
    if "rate" in changes:
        changes["rate_batch"] = None
    schedule = {name: changes.pop(name) for name in SCHEDULE_FIELDS & set(changes)}
    epochs = changes.get("epochs", recipe.epochs)
    schedule = {"warmup": min(recipe.schedule.warmup, epochs / 2), **schedule}
    if "curve" in schedule:
        kept = recipe.schedule if schedule["curve"] is recipe.schedule.curve else None
        after = USUAL_STEPS if schedule["curve"] is ScheduleShape.STEP else ()
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
