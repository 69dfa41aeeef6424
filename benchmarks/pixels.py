"""JPEG bytes -> network input, one core: this project's exact pixels against timm's loader."""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from benchmarks.peers import import_timm
from benchmarks.pictures import draw_pictures
from benchmarks.runs import command_line, write_result
from resnext.pixels import resample
from resnext.pixels.decoding import decode
from resnext.pixels.transforms import prepare_pixels, prepare_ten_pixels
from resnext.preprocessing import IMAGENET

ROUNDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way from the bytes of a file to what a network sees.

    Attributes:
        decode: bytes to pixels of whatever kind.
        prepare: these pixels to network input: scaled, normalised and cropped.
        compiled: whether the compiled kernel may be used, if it is this project's.
    """

    decode: Callable[[bytes], Any]
    prepare: Callable[[Any], Any]
    compiled: bool = True


def ours(prepare: Callable[..., Any], *, compiled: bool) -> Way:
    """Return this project's way, with the compiled kernel or with NumPy."""
    return Way(decode=decode, prepare=lambda pixels: prepare(pixels, IMAGENET), compiled=compiled)


def timms(interpolation: str) -> Way:
    """Return what timm's data set and its transform for evaluation do, on one picture."""
    transform = import_timm().data.create_transform(
        input_size=(3, IMAGENET.crop, IMAGENET.crop),
        interpolation=interpolation,
        crop_pct=IMAGENET.crop / 256,
        mean=IMAGENET.mean,
        std=IMAGENET.std,
    )
    return Way(decode=lambda data: Image.open(io.BytesIO(data)).convert("RGB"), prepare=transform)


def seconds(way: Way, pictures: Sequence[bytes]) -> tuple[float, float]:
    """Return processor seconds of a picture, for its decoding and for the rest.

    Each picture goes all the way before the next one begins, as in a loader.
    """
    decoding = preparing = 0.0
    with _engine(compiled=way.compiled):
        for data in pictures:
            start = time.process_time()
            pixels = way.decode(data)
            middle = time.process_time()
            way.prepare(pixels)
            preparing += time.process_time() - middle
            decoding += middle - start
    return decoding / len(pictures), preparing / len(pictures)


def _engine(*, compiled: bool) -> Any:
    kernel = resample.trusted_kernel() if compiled else None
    return patch.object(resample, "trusted_kernel", lambda: kernel)


def check_bits(pictures: Sequence[bytes]) -> None:
    """Compare what kernel and NumPy make of each picture.

    Raises:
        SystemExit: no kernel is installed.
        AssertionError: a bit differs.
    """
    if resample.trusted_kernel() is None:
        raise SystemExit("no compiled kernel here: install again where there is a C compiler")
    for data in pictures:
        pixels = decode(data)
        results = []
        for compiled in (True, False):
            with _engine(compiled=compiled):
                results.append(prepare_pixels(pixels, IMAGENET).view(np.uint32))
        assert np.array_equal(*results)


def main() -> None:
    """Measure, print and write the result."""
    torch.set_num_threads(1)
    pictures = draw_pictures()
    check_bits(pictures)
    ways = {
        "compiled": ours(prepare_pixels, compiled=True),
        "numpy": ours(prepare_pixels, compiled=False),
        "timm_bicubic": timms("bicubic"),
        "timm_bilinear": timms("bilinear"),
        "ten_compiled": ours(prepare_ten_pixels, compiled=True),
        "ten_numpy": ours(prepare_ten_pixels, compiled=False),
    }
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            spent = seconds(way, pictures)
            if turn:  # the first is for warmth
                rounds[name].append(spent)
    rows = {name: _row(spent, rounds["compiled"]) for name, spent in rounds.items()}
    facts = {
        "pictures": len(pictures),
        "mean_bytes": round(sum(map(len, pictures)) / len(pictures)),
        "rounds": ROUNDS,
        "unit": "milliseconds of processor time a picture, one thread",
        "rows": rows,
    }
    packages = ("numpy", "simplejpeg", "pillow", "torch", "torchvision", "timm", "resnext")
    write_result("pixels", facts, packages)
    for name, row in rows.items():
        print(f"{name:16} {row}")


def _row(
    spent: Sequence[tuple[float, float]], base: Sequence[tuple[float, float]]
) -> dict[str, float]:
    ratios = [sum(one) / sum(other) for one, other in zip(spent, base, strict=True)]
    return {
        "decode": round(1000 * median(decoding for decoding, _ in spent), 2),
        "prepare": round(1000 * median(preparing for _, preparing in spent), 2),
        "total": round(1000 * median(map(sum, spent)), 2),
        "times_compiled": round(median(ratios), 2),
    }


if __name__ == "__main__":
    command_line().parse_args()
    main()
