"""The golden data, where it lies, and how it is unpacked."""

import lzma
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

# The golden networks that Torch7 ran.
ANSWERED = (
    "cifar_c",
    "cifar_b",
    "cifar_resnet",
    "cifar_basic_a",
    "cifar_c_shortcut_c",
    "imagenet_c50",
    "imagenet_basic18",
    "imagenet_bn_after_add50",
    "preact_cifar20",
    "flat_storage",
    "double",
    "cuda",
    "cuda_half",
    "cudnn_bn",
    "fbnn",
    "ascii",
    "long32",
    "running_std",
    "weights_2d",
    "conv_bias",
    "data_parallel",
    "in_a_table",
    "classes100",
)


@dataclass(frozen=True)
class Golden:
    """A network that Torch7 wrote; input and output are None where it was never run.

    Attributes:
        path: the unpacked .t7 file.
        input: (N, 3, H, W) float32.
        output: (N, classes) float32, what Torch7 answered.
    """

    path: Path
    input: np.ndarray | None
    output: np.ndarray | None


def unpack(packed: Path, folder: Path) -> Path:
    """Write the content of an .xz file into a folder, under its name without the suffix."""
    path = folder / packed.stem
    if not path.exists():
        with lzma.open(packed) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
    return path
