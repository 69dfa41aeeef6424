"""The options of `resnext-train`, in the groups in which `--help` shows them."""

from collections.abc import Callable
from typing import Any, Final

import click

from resnext.preprocessing import LONGEST
from train.option_types import BARE, FOLDER, PATH, WIDTH, Number, RunFolder
from train.recipe_flags import PICTURES, RECIPE

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
        metavar="FRACTION",
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
        help="Begin with the weights of a .safetensors, .t7 or PyTorch file, or one of MXNet or "
        "Caffe, or of a published network by name, or at an address: hf://OWNER/MODEL.",
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
    click.option(
        "--cache",
        type=PATH,
        metavar="DIR",
        help="Folder of downloads.  [default: the user's cache folder]",
    ),
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
    click.option(
        "--deterministic",
        is_flag=True,
        help="Same bits on a GPU in each run: cuDNN and the compiler may not choose by speed.",
    ),
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


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options to a command, in the order of `GROUPS`."""
    for decorate in reversed([option for group in GROUPS.values() for option in group]):
        function = decorate(function)
    return function
