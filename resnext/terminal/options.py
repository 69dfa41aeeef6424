"""Options that several commands share: how pictures are prepared, and what computes."""

from collections.abc import Callable
from typing import Any, Final

import click

from resnext.machine import Precision
from resnext.preprocessing import LONGEST, Pipeline
from resnext.terminal.command import NamedPath

PIPELINES: Final = click.Choice([each.value for each in Pipeline])
PREPROCESSING: Final = click.option(
    "--preprocessing",
    metavar="NAME|FILE",
    help="Use this preprocessing in place of the network's own: imagenet, cifar10, cifar100, or a "
    "TOML file with crop, mean, std and scale.",
)
SCALE: Final = click.option(
    "--scale",
    type=click.IntRange(0, LONGEST),
    help="Pixels of the shorter side; 0 scales nothing.",
)
CROP: Final = click.option(
    "--crop", type=click.IntRange(1, LONGEST), help="Pixels of the crop, 320 for ResNet-200."
)
PRECISION: Final = click.option(
    "--precision",
    type=click.Choice([each.value for each in Precision]),
    default="fp32",
    show_default=True,
    help="Arithmetic; fp32 is the published one.",
)
COMPILE: Final = click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compute with torch.compile; worth a try on a GPU, and a minute more at the start.",
)
BATCH_SIZE: Final = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Images that go through a network at once.  [default: 16 on a CPU, 128 on a GPU; a tenth "
    "of that with ten crops]",
)
WORKERS: Final = click.option(
    "--workers",
    type=click.IntRange(0, 1024),
    help="Processes that read and decode; 0 does it in turn with the network.  [default: 1 for a "
    "CPU, else all processors up to 16]",
)
DEVICE: Final = click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:1 or mps.  [default: the best there is]"
)
STREAM: Final = click.option(
    "--stream",
    is_flag=True,
    help="Read each file of a store (hf://, s3:// ...) once, and keep none; a few at a time lie in "
    "the folder of --cache.",
)
CACHE: Final = click.option("--cache", type=NamedPath(), metavar="DIR", help="Folder of downloads.")


def crops(ten: str) -> Callable[[Any], Any]:
    """Return the option of the crops.

    Args:
        ten: what is made of ten.
    """
    return click.option(
        "--crops",
        type=click.Choice(["1", "10"]),
        default="1",
        show_default=True,
        help=f"The centre crop, or ten whose {ten}.",
    )
