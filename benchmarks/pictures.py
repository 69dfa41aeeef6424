"""JPEGs of about ImageNet's sizes and bytes, made from the photographs of the tests."""

import io
import itertools
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from resnext.images.imagenet import WNIDS

IMAGES = Path(__file__).parents[1] / "tests" / "data" / "images"
PHOTOGRAPHS = ("large.JPEG", "portrait_444.JPEG", "odd_501x377.JPEG", "landscape_420.JPEG")

# (width, height) and how many of forty: most of ImageNet has a longer side of 500 pixels.
SIZES = {
    (500, 375): 16,
    (500, 333): 8,
    (375, 500): 6,
    (333, 500): 3,
    (500, 500): 1,
    (500, 400): 1,
    (500, 357): 1,
    (400, 300): 1,
    (320, 240): 1,
    (640, 480): 1,
    (800, 600): 1,
}
FORTY = sum(SIZES.values())

# Encoded at quality 95, halved colours, 104 kB on average; ImageNet's mean is 110 kB.
NOISE = 10  # gray levels: a camera's grain, which a photograph has lost once it was scaled down
QUALITY = 95

CLASSES = 10


def draw_pictures(*, seed: int = 0) -> list[bytes]:
    """Return forty JPEG files.

    Each is a random part (60 to 100 % of what fits) of one of four public-domain photographs,
    scaled by Pillow to a size of `SIZES`, with normal noise of deviation `NOISE`, encoded by
    Pillow at `QUALITY`. The same seed gives the same pictures; the order mixes the sizes.
    """
    draw = np.random.default_rng(seed)
    photographs = [Image.open(IMAGES / name).convert("RGB") for name in PHOTOGRAPHS]
    sizes = [size for size, count in SIZES.items() for _ in range(count)]
    return [
        _draw_picture(photographs[n % len(photographs)], sizes[place], draw)
        for n, place in enumerate(draw.permutation(len(sizes)))
    ]


def _draw_picture(
    photograph: Image.Image, size: tuple[int, int], draw: np.random.Generator
) -> bytes:
    aspect = size[0] / size[1]
    part = draw.uniform(0.6, 1) * min(photograph.width, photograph.height * aspect)
    left = draw.uniform(0, photograph.width - part)
    top = draw.uniform(0, photograph.height - part / aspect)
    box = (left, top, left + part, top + part / aspect)
    scaled = np.asarray(photograph.resize(size, Image.Resampling.BICUBIC, box=box))
    noisy = scaled + draw.normal(scale=NOISE, size=scaled.shape)
    file = io.BytesIO()
    Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def draw_many(count: int, *, first: int = 0, processes: int = 1) -> Iterator[bytes]:
    """Yield JPEG files, all different: forty of each seed, as `draw_pictures` gives them.

    Args:
        count: how many.
        first: the first seed.
        processes: that draw; a picture takes one of them some 30 ms.
    """
    seeds = range(first, first + -(-count // FORTY))
    if processes == 1:
        yield from itertools.islice(itertools.chain.from_iterable(map(_draw_seed, seeds)), count)
        return
    # Not forked: the process that asks may hold a GPU, and threads.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        drawn = pool.map(_draw_seed, seeds)
        yield from itertools.islice(itertools.chain.from_iterable(drawn), count)


def _draw_seed(seed: int) -> list[bytes]:
    return draw_pictures(seed=seed)


def write_pictures(
    folder: Path, count: int, *, different: int | None = None, processes: int = 1
) -> None:
    """Write JPEG files into `CLASSES` folders named by wnids of ImageNet.

    Args:
        folder: which holds the class folders.
        count: how many files.
        different: how many of them are different; the others are further names of these, as
            drawing tens of thousands takes longer than reading them. None draws each.
        processes: that draw.
    """
    names = WNIDS[:: len(WNIDS) // CLASSES]
    paths = [
        folder / names[number % CLASSES] / f"picture_{number:08d}.JPEG" for number in range(count)
    ]
    for path in paths[:CLASSES]:
        path.parent.mkdir(parents=True, exist_ok=True)
    drawn = min(count, different or count)
    for path, data in zip(paths, draw_many(drawn, processes=processes), strict=False):
        path.write_bytes(data)
    for number in range(drawn, count):
        paths[number].hardlink_to(paths[number % drawn])


def write_tar(path: Path, names: Iterable[str]) -> Path:
    """Write a tar in which a JPEG of noise, 32 pixels wide, has many names; return its path."""
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(file.getvalue())
            archive.addfile(member, io.BytesIO(file.getvalue()))
    return path
