"""The messages of a training: the plan before it starts, a line for each epoch, the end."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, assert_never

from resnext.images.names import class_list
from resnext.layout import layout
from resnext.preprocessing import Pipeline, Preprocessing
from resnext.terminal.text import duration, number
from train.recipe.augmentation import COLOR_CHANGES, Augmentation, AutoAugment, Crop
from train.recipe.batching import left_out, steps_of_epoch
from train.recipe.description import schedule_text
from train.recipe.recipe import Optimizer, Recipe, Schedule
from train.run.folder import BEST, LAST, REPORT
from train.run.progress import AVERAGE, WEIGHTS, Progress, Tally

if TYPE_CHECKING:
    from train.input.task import Task  # needs torch

POLICIES: Final = {AutoAugment.TRIVIAL: "TrivialAugmentWide", AutoAugment.RAND: "RandAugment"}


def plan(task: "Task", *, device: str, processes: int, workers: int, threads: int) -> list[str]:
    """Return what is about to happen, one line for each aspect.

    Args:
        task: the training.
        device: type of this process's device.
        processes: number of processes in the job.
        workers: processes that read images, for each of these.
        threads: that compute, if the device is the CPU.
    """
    recipe = task.recipe
    checkpoint = task.first_network.checkpoint
    train, val = len(task.images.train), len(task.images.val)
    source = task.first_network.source
    steps = steps_of_epoch(train, recipe, processes=processes)
    rows = (
        (
            "network",
            f"{checkpoint.spec.name}, {layout(checkpoint.spec).parameters():,} parameters, "
            + (f"from {source['file']}" if source else "new"),
        ),
        ("classes", f"{checkpoint.spec.classes}: {class_list(task.names)}"),
        ("images", f"{train:,} to train on, {val:,} to validate with"),
        (
            "recipe",
            f"{recipe.name}: {number(recipe.epochs, 'epoch')} of {number(steps, 'step')} of "
            f"{recipe.batch_size} images" + _rest(left_out(train, recipe, processes=processes)),
        ),
        ("lr", f"{_lr(recipe)}, {_schedule(recipe.schedule)}"),
        ("optimizer", ", ".join(_optimizer(recipe))),
        ("pictures", _pictures(recipe.augmentation, task.first_network.preprocessing)),
        ("loss", ", ".join(_loss(recipe))),
        ("machine", _machine(recipe, device, processes, workers, threads)),
        ("output", str(task.config.output)),
    )
    return [f"{name:<9} {text}" for name, text in rows if text]


def divergence_advice(recipe: Recipe) -> str:
    """Return what to try when a loss or a weight is not finite."""
    clip = "" if recipe.clip else ", --clip 1"
    half = ", another --precision than fp16" if recipe.precision == "fp16" else ""
    return (
        f"try a smaller --lr, a longer --warmup{clip}{half}, in a run of its own (--force, or "
        "another --output)"
    )


def tally_text(tally: Tally) -> str:
    """Return loss and error of an epoch so far, which has one image or more."""
    loss = tally.loss / tally.images
    return f"loss {loss:.4f}, error {percent(tally.wrong, tally.images)}"


def epoch_line(row: Mapping[str, Any], recipe: Recipe) -> str:
    """Return the result of an epoch, and how long the remaining epochs will take.

    Args:
        row: of the history.
        recipe: of the run.
    """
    train = row["train"]
    parts = [
        f"epoch {row['epoch']:>{len(str(recipe.epochs))}}/{recipe.epochs}",
        f"loss {train['loss']:.4f}",
        f"error {percent(train['wrong'], train['images'])}",
        f"validation {_validation(row[WEIGHTS])}",
    ]
    if AVERAGE in row:
        parts.append(f"average {_validation(row[AVERAGE])}")
    parts.append(f"{row['images_per_second']:.0f} images/s")
    if left := recipe.epochs - row["epoch"]:
        parts.append(f"{duration(left * row['seconds'])} left")
    return "  ".join(parts) + ("  best" if row["best"] else "")


def closing_lines(task: "Task", progress: Progress) -> list[str]:
    """Return the results of a run that is done, and where they are."""
    best, last = progress.best, progress.history[-1]
    assert best is not None
    row = progress.history[best.epoch - 1][best.weights]
    folder = task.config.output
    lines = []
    if progress.epoch <= task.recipe.epochs:
        stale = number(progress.stale, "epoch")
        lines.append(f"stopped after epoch {last['epoch']}: no better validation for {stale}")
    which = " of the average" if best.weights == AVERAGE else ""
    final = _validation(last[WEIGHTS])
    took = duration(progress.seconds)
    return [
        *lines,
        f"best  epoch {best.epoch}{which}: {_validation(row)}  {folder / BEST}",
        f"last  epoch {last['epoch']}: {final}  {folder / LAST}",
        f"{took} in all; curves and confusion matrix: {folder / REPORT}",
    ]


def percent(wrong: int, images: int) -> str:
    """Return an error rate as it is printed."""
    return f"{100 * wrong / images:.2f} %"


def _validation(row: Mapping[str, Any]) -> str:
    wrong = row["images"] - row["top1_correct"]
    return f"{percent(wrong, row['images'])} ({wrong}/{row['images']})"


def _rest(images: int) -> str:
    if not images:
        return ""
    return f"; {images} of each epoch, other ones each time, are too few for a step"


def _lr(recipe: Recipe) -> str:
    if recipe.lr_batch_size is None or recipe.lr_batch_size == recipe.batch_size:
        return f"{recipe.scaled_lr:g}"
    return f"{recipe.lr:g} x {recipe.batch_size}/{recipe.lr_batch_size} = {recipe.scaled_lr:g}"


def _schedule(schedule: Schedule) -> str:
    rising = "epoch" if schedule.warmup == 1 else "epochs"
    warmup = f", {schedule.warmup:g} {rising} of warm-up first" if schedule.warmup else ""
    return schedule_text(schedule) + warmup


def _optimizer(recipe: Recipe) -> Iterator[str]:
    decay = f"weight decay {recipe.weight_decay:g} on every parameter"
    match recipe.optimizer:
        case Optimizer.SGD:
            yield f"SGD, Nesterov momentum {recipe.momentum:g}"
        case Optimizer.ADAMW:
            first, second = recipe.betas
            yield f"AdamW, betas {first:g} and {second:g}, eps {recipe.eps:g}"
            decay = f"decoupled {decay}"
        case _:
            assert_never(recipe.optimizer)
    yield decay
    if recipe.accumulate > 1:
        yield f"{recipe.accumulate} parts a step"
    if recipe.clip:
        yield f"gradient clipped to {recipe.clip:g}"
    if recipe.freeze:
        yield f"frozen up to {recipe.freeze}"
    if recipe.layer_decay != 1:
        yield f"each block at {recipe.layer_decay:g} of the lr of the next"
    if recipe.ema:
        yield f"average of the weights that keeps {recipe.ema:g} a step"
    if recipe.patience:
        yield f"ends after {number(recipe.patience, 'epoch')} without a better validation"


def _pictures(augmentation: Augmentation, preprocessing: Preprocessing) -> str:
    learnt, validated = _augmentation(augmentation), preprocessing.describe()
    if preprocessing.pipeline is Pipeline.TORCH7:
        return f"{learnt}; {validated}"
    return f"{learnt}, scaled by the original's bicubic; in validation {validated}"


def _augmentation(augmentation: Augmentation) -> str:
    parts: list[str] = [_crop(augmentation)]
    if augmentation.auto_augment is not AutoAugment.NONE:
        parts.append(POLICIES[augmentation.auto_augment])
    if any(augmentation.color_jitter):
        changes = zip(COLOR_CHANGES, augmentation.color_jitter, strict=True)
        parts.append(
            "ColorJitter " + " ".join(f"{name} {value:g}" for name, value in changes if value)
        )
    if augmentation.pca_lighting:
        parts.append(f"PCA lighting {augmentation.pca_lighting:g}")
    if augmentation.flip:
        parts.append(f"mirrored with probability {augmentation.flip:g}")
    return ", ".join(parts)


def _crop(augmentation: Augmentation) -> str:
    match augmentation.crop:
        case Crop.RANDOM_RESIZED_CROP:
            scale, ratio = (
                f"{least:.3g} to {most:.3g}"
                for least, most in (augmentation.crop_scale, augmentation.crop_ratio)
            )
            return f"{augmentation.crop} of scale {scale} and ratio {ratio}"
        case Crop.RANDOM_CROP if augmentation.padding:
            return f"{augmentation.crop} with padding {augmentation.padding}"
        case _:
            return str(augmentation.crop)


def _loss(recipe: Recipe) -> Iterator[str]:
    if recipe.label_smoothing:
        yield f"label smoothing {recipe.label_smoothing:g}"
    if recipe.mixup:
        yield f"mixup {recipe.mixup:g}"
    if recipe.class_weights:
        low, high = (f(weight for _, weight in recipe.class_weights) for f in (min, max))
        yield f"class weights from {low:.3g} to {high:.3g}"


def _machine(recipe: Recipe, device: str, processes: int, workers: int, threads: int) -> str:
    parts = [device, recipe.precision]
    if device == "cpu":
        parts.append(number(threads, "thread"))
    if processes > 1:
        parts.append(f"{processes} processes")
    parts.append(number(workers, "worker") if workers else "no workers")
    if recipe.sync_bn:
        parts.append("batch norm over all processes")
    return ", ".join(parts)
