"""The options of `resnext-train`, in the groups in which `--help` shows them."""

from collections.abc import Callable
from typing import Any, Final

import click

from resnext.preprocessing import LONGEST
from resnext.terminal.command import NamedPath
from train.option_types import BARE, Number, RunFolder

PATH: Final = NamedPath()
FOLDER: Final = NamedPath(file_okay=False)
# Every number has an upper limit, far above useful values: beyond it something overflows.
COUNT: Final = click.IntRange(1, 1_000_000)
COUNT_OR_NONE: Final = click.IntRange(0, 1_000_000)
WIDTH: Final = click.IntRange(1, 4096)
PART: Final = Number(0, 1)
NOT_NEGATIVE: Final = Number(0, 1000)


IMAGES: Final = (
    click.option(
        "--data",
        metavar="IMAGES",
        help="A folder with train/ and val/ by class, one folder of classes, a tar of either, "
        "WebDataset shards, Parquet files, cifar10, cifar100.",
    ),
    click.option("--val-data", metavar="IMAGES", help="Other images to validate with."),
    click.option(
        "--val-fraction",
        type=Number(0, 1, min_open=True, max_open=True),
        metavar="PART",
        help="Keep this part of each class to validate with, drawn from the seed.  [default: 0.2 "
        "where there is no validation set]",
    ),
    click.option(
        "--check/--no-check",
        default=None,
        help="Read every image once before the training.  [default: where they are 20,000 or less]",
    ),
)

NETWORK: Final = (
    click.option(
        "--init",
        metavar="CHECKPOINT",
        help="Begin with the weights of a .safetensors or .t7 file, or of a published network by "
        "name.",
    ),
    click.option(
        "--reset-classifier", is_flag=True, help="Begin with a new classifier in any case."
    ),
    click.option(
        "--depth",
        type=click.IntRange(1, 2000),
        help="Begin anew: 18, 34, 50, 101, 152, or 9n+2 for CIFAR.",
    ),
    click.option(
        "--base-width", type=WIDTH, help="Channels of a group, the 4 of 32x4d.  [default: 64]"
    ),
    click.option(
        "--cardinality", type=WIDTH, help="Groups, the 32 of 32x4d.  [default: 1, a ResNet]"
    ),
    click.option(
        "--bottleneck-type",
        "kind",
        type=click.Choice(["resnet", "resnext_B", "resnext_C"]),
        help="Block; B and C are the same network.  [default: resnext_C]",
    ),
    click.option(
        "--shortcut-type",
        "shortcut",
        type=click.Choice(["A", "B", "C"]),
        help="Shortcut; A for --depth 18 and 34 only.  [default: B]",
    ),
    click.option(
        "--preprocessing",
        metavar="NAME|FILE",
        help="In place of the checkpoint's: imagenet, cifar10, cifar100, or a TOML file.",
    ),
    click.option(
        "--claims",
        type=PATH,
        metavar="FILE.toml",
        help="Take the preprocessing from the checkpoint's row in a table of claims.",
    ),
    click.option(
        "--scale",
        type=click.IntRange(0, LONGEST),
        metavar="PIXELS",
        help="Shorter side of a scaled picture; 0 scales nothing.  [default: the preprocessing's, "
        "or one that fits the pictures]",
    ),
    click.option(
        "--crop",
        "side",
        type=click.IntRange(1, LONGEST),
        metavar="PIXELS",
        help="Side of the network's input.  [default: the preprocessing's]",
    ),
    click.option("--cache", type=PATH, metavar="DIR", help="Folder of downloads."),
)

RECIPE: Final = (
    click.option(
        "--recipe",
        type=click.Choice(["imagenet-2017", "cifar-2017", "finetune"]),
        help="Values of all options of this group and the next.  [default: finetune with --init, "
        "else by the images]",
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
        "rate",
        type=Number(0, 1000, min_open=True),
        help="Learning rate, taken as it is; the recipe's grows with the batch.",
    ),
    click.option(
        "--schedule",
        "curve",
        type=click.Choice(["step", "cosine", "constant"]),
        help="How the learning rate falls.",
    ),
    click.option(
        "--warmup", type=Number(0, 1_000_000), metavar="EPOCHS", help="Raise the rate first."
    ),
    click.option("--momentum", type=Number(0, 1, max_open=True), help="Of SGD, Nesterov's form."),
    click.option("--weight-decay", type=NOT_NEGATIVE, help="Of every parameter."),
    click.option("--accumulate", type=COUNT, metavar="N", help="Compute a step in N parts."),
    click.option("--clip", type=NOT_NEGATIVE, metavar="NORM", help="Clip the gradient's norm."),
    click.option(
        "--freeze", metavar="PART", help="Keep all up to stem, layer1, layer2 ... as it is."
    ),
    click.option(
        "--layer-decay",
        type=Number(0, 1, min_open=True),
        metavar="FACTOR",
        help="Learn slower from the classifier back: each residual block by this factor.",
    ),
    click.option(
        "--label-smoothing", type=PART, help="Part of the target spread over all classes."
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
        type=click.Choice(["fp32", "tf32", "bf16", "fp16"]),
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
        type=click.Choice(["sized", "padded", "shifted"]),
        help="sized: a random rectangle; padded: a square of the picture with a border; shifted: a "
        "square of the scaled picture.",
    ),
    click.option(
        "--min-area",
        "area",
        type=Number(0, 1, min_open=True),
        metavar="PART",
        help="Least part of the picture that a sized crop takes.",
    ),
    click.option("--padding", type=click.IntRange(0, 1000), help="Zeros around a padded crop."),
    click.option("--jitter", type=PART, help="Change of brightness, contrast and saturation."),
    click.option("--lighting", type=Number(0, 100), help="Shift along ImageNet's main colours."),
    click.option("--flip", type=PART, metavar="PROBABILITY", help="Mirror a picture, this often."),
)

MACHINE: Final = (
    click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps.  [default: the best]"),
    click.option(
        "--workers",
        type=click.IntRange(0, 1024),
        help="Processes that read and change pictures.  [default: 1 for a CPU, else all "
        "processors up to 16]",
    ),
    click.option("--compile/--no-compile", "compiled", default=False, help="Use torch.compile."),
    click.option(
        "--save-memory/--no-save-memory",
        "saves_memory",
        default=False,
        help="Compute activations twice instead of keeping them.",
    ),
    click.option("--deterministic", is_flag=True, help="Same bits on a GPU each time; slower."),
)

RUN: Final = (
    click.option(
        "--output", type=FOLDER, metavar="DIR", help="Folder of the run.  [default: runs/IMAGES]"
    ),
    click.option(
        "--resume",
        type=RunFolder(),
        is_flag=False,
        flag_value=BARE,
        metavar="[DIR]",
        help="Go on with the run in DIR (or in --output) with all of its options; those given "
        "beside it must be the same, but for --epochs and what changes no result (--workers, "
        "--device). Where there is no state yet, the run begins. torchrun's restarts always do.",
    ),
    click.option("--force", is_flag=True, help="Start anew over what is in --output."),
    click.option(
        "--save-every",
        type=click.IntRange(0, 10**9),
        default=0,
        metavar="STEPS",
        help="Save the state within epochs too.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Of everything random.",
    ),
    click.option("--tensorboard", is_flag=True, help="Write curves for TensorBoard too."),
)

GROUPS: Final = {
    "Images": IMAGES,
    "Network": NETWORK,
    "Recipe": RECIPE,
    "Pictures": PICTURES,
    "Machine": MACHINE,
    "Run": RUN,
}

# Options that replace a value of the recipe.
CHANGES: Final = (
    "epochs",
    "batch_size",
    "rate",
    "curve",
    "warmup",
    "momentum",
    "weight_decay",
    "accumulate",
    "clip",
    "freeze",
    "layer_decay",
    "label_smoothing",
    "mixup",
    "ema",
    "patience",
    "precision",
    "sync_bn",
    "channels_last",
    "crop",
    "area",
    "padding",
    "jitter",
    "lighting",
    "flip",
)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options to a command, in the order of `GROUPS`."""
    for decorate in reversed([option for group in GROUPS.values() for option in group]):
        function = decorate(function)
    return function
