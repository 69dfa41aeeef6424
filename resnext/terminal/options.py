"""Options that several commands share: how pictures are prepared, and what computes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from resnext.machine import DeviceKind, Precision, usual_batch_size, usual_workers
from resnext.preprocessing import LONGEST, Pipeline, Preprocessing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureConfig:
    """What a command is asked for that sends pictures through networks.

    Attributes:
        crops: 1 or 10.
        preprocessing: in place of the networks' own; or None.
        scale, crop: in pixels, in place of the preprocessing's own; or None.
        precision: "fp32", "tf32", "bf16" or "fp16".
        compiled: compute with `torch.compile`.
        batch_size: pictures of a batch, >= 1; None takes the device's usual.
        workers: processes that read ahead, 0 reads in this one; None takes the device's usual.
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the best there is.
        cache: folder of downloads; None is the user's own.
        stream: read files of a store once, and keep none.
    """

    crops: int = 1
    preprocessing: Preprocessing | None = None
    scale: int | None = None
    crop: int | None = None
    precision: str = "fp32"
    compiled: bool = False
    batch_size: int | None = None
    workers: int | None = None
    device: str | None = None
    cache: Path | None = None
    stream: bool = False

    def batch_size_on(self, device: DeviceKind) -> int:
        """Return the number of pictures of a batch; with ten crops, of about as many crops."""
        return self.batch_size or usual_batch_size(device, crops=self.crops)

    def workers_on(self, device: DeviceKind, *, processes: int) -> int:
        """Return how many processes read ahead for each of the job's processes on this machine."""
        usual = usual_workers(device, processes=processes)
        return usual if self.workers is None else self.workers
