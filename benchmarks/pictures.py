"""JPEGs of about ImageNet's sizes and bytes, made from the photographs of the tests."""

import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from resnext.data.imagenet import WNIDS

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


def write_pictures(folder: Path, count: int) -> None:
    """Write JPEG files, all different, into `CLASSES` folders named by wnids of ImageNet.

    Args:
        folder: which holds the class folders.
        count: how many files.
    """
    names = WNIDS[:: len(WNIDS) // CLASSES]
    seeds = itertools.count()
    pictures = itertools.chain.from_iterable(draw_pictures(seed=seed) for seed in seeds)
    for number, data in enumerate(itertools.islice(pictures, count)):
        path = folder / names[number % CLASSES] / f"picture_{number:08d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
