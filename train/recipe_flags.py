"""The options of `resnext-train` that set the values of a recipe."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from resnext.machine import Precision
from train.option_types import (
    COUNT,
    COUNT_OR_NONE,
    FRACTION,
    NOT_NEGATIVE,
    ColorJitter,
    NamedChoice,
    Number,
    NumberPair,
    pair_of,
    strengths_of,
)

RECIPES: Final = ("imagenet-2017", "cifar-2017", "finetune")


def show_recipe(ctx: click.Context, _param: click.Parameter, name: str | None) -> None:
    """Print all values of a recipe as options, and end the command."""
    if name is None:
        return
    # Here, because `--help` must not wait for NumPy.
    from train.recipe.description import recipe_lines
    from train.recipe.recipe import RECIPES as ROWS

    for line in recipe_lines(ROWS[name]):
        click.echo(line)
    ctx.exit()


RECIPE: Final = (
    click.option(
        "--recipe",
        type=NamedChoice(RECIPES),
        help="Values of all options of this group and the next.  [default: finetune with --init, "
        "else by the images]",
    ),
    click.option(
        "--show-recipe",
        type=NamedChoice(RECIPES),
        is_eager=True,
        expose_value=False,
        callback=show_recipe,
        help="Print the values of a recipe, which are the defaults of these options, and end.",
    ),
    click.option(
        "--epochs",
        type=COUNT,
        help="Passes over the training images. --resume takes more or fewer if every step taken "
        "keeps its learning rate: where that is constant or falls every 30 epochs; before the "
        "first fall where it falls after parts of the run; not once a cosine falls.",
    ),
    click.option("--batch-size", type=COUNT, help="Images of a step, over all processes."),
    click.option(
        "--lr",
        type=Number(0, 1000, min_open=True),
        help="Learning rate, taken as it is; the recipe's grows with the batch.",
    ),
    click.option(
        "--schedule",
        "curve",
        type=NamedChoice(
            ("step", "cosine", "constant"),
            {
                "steplr": "step",
                "multistep": "step",
                "multisteplr": "step",
                "cosineannealinglr": "cosine",
                "none": "constant",
            },
        ),
        help="How the learning rate falls.",
    ),
    click.option(
        "--warmup", type=Number(0, 1_000_000), metavar="EPOCHS", help="Raise the lr first."
    ),
    click.option(
        "--optimizer",
        type=NamedChoice(
            ("sgd", "adamw"),
            {"nesterov": "sgd", "sgd_nesterov": "sgd", "momentum": "sgd with --momentum"},
        ),
        help="SGD, or AdamW with an lr of 0.001 and a weight decay of 0.01 where none are given.",
    ),
    click.option("--momentum", type=Number(0, 1, max_open=True), help="Of SGD, Nesterov's form."),
    click.option(
        "--betas",
        type=NumberPair(Number(0, 1, max_open=True)),
        metavar="B1,B2",
        help="Of AdamW.",
    ),
    click.option("--eps", type=Number(0, 1), help="Of AdamW."),
    click.option(
        "--weight-decay", type=NOT_NEGATIVE, help="Of every parameter; decoupled in AdamW."
    ),
    click.option("--accumulate", type=COUNT, metavar="N", help="Compute a step in N parts."),
    click.option("--clip", type=NOT_NEGATIVE, metavar="NORM", help="Clip the gradient's norm."),
    click.option(
        "--freeze",
        metavar="STAGE",
        help="Keep all up to stem, layer1, layer2 ... as it is; none keeps nothing.",
    ),
    click.option(
        "--layer-decay",
        type=Number(0, 1, min_open=True),
        metavar="FACTOR",
        help="Learn slower from the classifier back: each residual block by this factor.",
    ),
    click.option(
        "--label-smoothing", type=FRACTION, help="Fraction of the target spread over all classes."
    ),
    click.option(
        "--class-weights",
        metavar="balanced|FILE",
        help="Weigh the loss: balanced, so that rare classes count as much as others, or by a TOML "
        "file of names and factors.",
    ),
    click.option("--mixup", type=NOT_NEGATIVE, metavar="ALPHA", help="Mix pairs of pictures."),
    click.option(
        "--ema",
        type=Number(0, 1, max_open=True),
        metavar="DECAY",
        help="Average the weights over the steps, with a warm-up; both are scored.",
    ),
    click.option(
        "--patience",
        type=COUNT_OR_NONE,
        metavar="EPOCHS",
        help="End after so many without a better validation.",
    ),
    click.option(
        "--precision",
        type=NamedChoice(
            tuple(each.value for each in Precision),
            {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "amp": "fp16 or bf16"},
        ),
        help="Arithmetic of the training; validation is fp32.",
    ),
    click.option(
        "--sync-bn/--no-sync-bn",
        default=None,
        help="Batch norm over the pictures of all processes; NVIDIA GPUs only.",
    ),
    click.option(
        "--channels-last/--no-channels-last",
        default=None,
        help="Order of the numbers in memory: faster, but the last digits differ.",
    ),
)

PICTURES: Final = (
    click.option(
        "--crop-kind",
        "crop",
        type=NamedChoice(
            ("RandomResizedCrop", "RandomCrop"),
            {
                "sized": "RandomResizedCrop",
                "padded": "RandomCrop with --padding",
                "shifted": "RandomCrop",
            },
        ),
        metavar="[RandomResizedCrop|RandomCrop]",
        help="A random rectangle, resized; or a random square of the scaled picture.",
    ),
    click.option(
        "--crop-scale",
        type=NumberPair(Number(0, 1, min_open=True)),
        metavar="MIN,MAX",
        help="RandomResizedCrop's scale: fractions of the picture's area.",
    ),
    click.option(
        "--crop-ratio",
        type=NumberPair(Number(0.01, 100)),
        metavar="MIN,MAX",
        help="RandomResizedCrop's ratio: width over height.",
    ),
    click.option(
        "--padding", type=click.IntRange(0, 1000), help="RandomCrop's padding: zeros on each side."
    ),
    click.option(
        "--auto-augment",
        type=NamedChoice(
            ("none", "trivial", "rand"),
            {"ta_wide": "trivial", "ra": "rand", "rand-m9-mstd0.5-inc1": "rand"},
        ),
        help="torchvision's TrivialAugmentWide or RandAugment, with its defaults.",
    ),
    click.option(
        "--color-jitter",
        type=ColorJitter(),
        metavar="STRENGTH",
        help="Change brightness, contrast and saturation by up to this, 0.4 say; or each by its "
        "own: brightness=0.4,saturation=0.2.",
    ),
    click.option(
        "--pca-lighting",
        type=Number(0, 100),
        metavar="STD",
        help="Shift along the principal components of ImageNet's colours.",
    ),
    click.option(
        "--flip", type=FRACTION, metavar="PROBABILITY", help="Mirror a picture, this often."
    ),
)

# Options that replace a value of the recipe.
CHANGES: Final = (
    *("epochs", "batch_size", "lr", "curve", "warmup"),
    *("optimizer", "momentum", "betas", "eps", "weight_decay"),
    *("accumulate", "clip", "freeze", "layer_decay", "label_smoothing", "mixup", "ema", "patience"),
    *("precision", "sync_bn", "channels_last"),
    *("crop", "crop_scale", "crop_ratio", "padding"),
    *("auto_augment", "color_jitter", "pca_lighting", "flip"),
)


def changes_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe that were given, as `train.recipe.changes.changed` takes them.

    Args:
        given: values of the options of `CHANGES`; None for one that was not given.
    """
    from train.recipe.augmentation import AutoAugment, Crop
    from train.recipe.description import NOTHING
    from train.recipe.recipe import Optimizer, ScheduleShape

    changes = {name: value for name, value in given.items() if value is not None}
    if "color_jitter" in changes:
        changes |= strengths_of(changes.pop("color_jitter"))
    if changes.get("freeze") == NOTHING:
        changes["freeze"] = ""
    kinds: dict[str, Callable[[str], Any]] = {
        "curve": ScheduleShape,
        "optimizer": Optimizer,
        "betas": pair_of,
        "crop": Crop,
        "crop_scale": pair_of,
        "crop_ratio": pair_of,
        "auto_augment": AutoAugment,
    }
    return {name: kinds[name](v) if name in kinds else v for name, v in changes.items()}
