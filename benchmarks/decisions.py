"""Which top-1 decisions the quick networks change: against the plain one, image by image."""

import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import convert
from benchmarks.calibrated import write_calibrated
from benchmarks.networks import RESNEXT_50
from benchmarks.pictures import draw_pictures
from benchmarks.runs import command_line, write_result
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.inference.arithmetic import Precision
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from resnext.pixels.pipelines import prepare
from resnext.preprocessing import IMAGENET, Preprocessing

IMAGES = 1000
BATCH_SIZE = 16
DIGITS = Path(__file__).parents[1] / "examples" / "digits"
DIGITS_PREPROCESSING = Preprocessing(scale=36, crop=32, mean=IMAGENET.mean, std=IMAGENET.std)

Logits = Callable[[Tensor], NDArray[np.float32]]


def main() -> None:
    """Count, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, "calibrated.safetensors")
        write_calibrated(checkpoint, RESNEXT_50)
        calibrated = convert.load(str(checkpoint)).build()
    seeds = count(1)  # those of seed 0 calibrated the network
    pictures = (data for seed in seeds for data in draw_pictures(seed=seed))
    trained = convert.load(str(DIGITS / "resnext_11_8x4d_digits.t7")).build()
    val = open_images(str(DIGITS / "val"))
    digits = chain(_files(val), _files(open_images(str(DIGITS / "train.tar"), split="train")))
    facts = {
        "calibrated": {
            "network": RESNEXT_50.name,
            **compare(calibrated, islice(pictures, IMAGES), IMAGENET),
        },
        "digits": {
            "network": trained.spec.name,
            **compare(trained, digits, DIGITS_PREPROCESSING),
        },
        "batch_size": BATCH_SIZE,
    }
    write_result("decisions", facts, ("numpy", "torch", "resnext"))
    for name, fact in facts.items():
        print(f"{name:16} {fact}")


def _files(images: ImageSet) -> Iterator[bytes]:
    return map(images.reader.read, range(len(images)))


def compare(
    network: ResNeXt, files: Iterator[bytes], preprocessing: Preprocessing
) -> dict[str, Any]:
    """Return how many top-1 decisions differ from those of the network as it was loaded.

    Args:
        network: in fp32, batch norms and all.
        files: images.
        preprocessing: of the network.

    Returns:
        For the network in another order of memory, which only adds up otherwise, and for the quick
        ones: how many decisions changed, and how far apart the two best logits had been where
        they did; the greatest difference of logits. The number of images, and of classes that were
        decided for.
    """
    cpu = torch.device("cpu")
    quick = {
        precision.value: Predictor(network, device=cpu, precision=precision).logits
        for precision in (Precision.FP32, Precision.BF16)
    }
    other = deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ways: dict[str, Logits] = {
        "plain": lambda inputs: _logits(network, inputs),
        "channels_last": lambda inputs: _logits(
            other, inputs.contiguous(memory_format=torch.channels_last)
        ),
        **quick,
    }
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ways}
    while few := list(islice(files, BATCH_SIZE)):
        inputs = torch.stack([torch.from_numpy(prepare(data, preprocessing)) for data in few])
        for name, logits in ways.items():
            found[name].append(logits(inputs))
    answers = {name: np.concatenate(parts) for name, parts in found.items()}
    plain = answers.pop("plain")
    best = plain.argmax(axis=1)
    second, first = np.sort(plain, axis=1)[:, -2:].T
    changed = {name: logits.argmax(axis=1) != best for name, logits in answers.items()}
    return {
        "images": len(plain),
        "classes": len(np.unique(best)),
        "deviation": _digits(plain.std()),
        "changed": {name: int(where.sum()) for name, where in changed.items()},
        "furthest_apart": {
            name: _digits((first - second)[where].max(initial=0)) for name, where in changed.items()
        },
        "furthest": {
            name: _digits(np.abs(logits - plain).max()) for name, logits in answers.items()
        },
    }


def _logits(network: ResNeXt, inputs: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: NDArray[np.float32] = network(inputs).numpy()
    return logits


def _digits(number: np.floating[Any]) -> float:
    return float(f"{number:.2g}")


if __name__ == "__main__":
    command_line().parse_args()
    main()
