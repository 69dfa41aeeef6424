"""Digits in pictures of any size, with texture: where there is detail, scaling can go wrong."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import NOISE, QUALITY
from resnext.images.image_set import ImageSet
from resnext.images.sources.opening import open_images
from resnext.pixels.decoding import decode

DIGITS: Final = Path(__file__).parents[1] / "examples" / "digits"

# Times the network's input, the shorter side; 375 of 224 pixels, the most frequent, is 1.67.
SHORTER: Final = (1.3, 2.1)
# Times the shorter side, the longer one.
LONGER: Final = (1, 1.5)
# Grey levels: with it and `NOISE`, pipelines differ as much at 224 pixels as on photographs.
TEXTURE: Final = 30
# Part of the shorter side in which small digits lie, so that every crop has them whole.
MIDDLE: Final = 0.75
# Pixels of a side of the texture from which pictures take their parts; it repeats itself.
FIELD: Final = 1024


def digit_sets() -> tuple[ImageSet, ImageSet]:
    """Return the 1,437 and the 360 pictures of the example, 40 to 56 pixels a side."""
    return open_images(str(DIGITS / "train.tar"), split="train"), open_images(str(DIGITS / "val"))


def draw_digits(
    size: int, *, share: float = 1, count: int | None = None
) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the digits as JPEG files that are larger than a network's input, and their labels.

    Each is scaled by Pillow to a size drawn as `SHORTER` and `LONGER` say, or to a share of it, and
    then lies anywhere in the middle square, on the digit's own background. Texture whose spectrum
    falls with the frequency, as that of photographs does, and a camera's noise are added. All is
    drawn from fixed seeds.

    Args:
        size: side in pixels of the network's input.
        share: of the picture's sides that the digit takes; with a small one, the class is in the
            detail.
        count: of each set, the first so many, evenly spaced; None returns all 1,797.
    """
    draw = np.random.default_rng(size)
    field = texture(np.random.default_rng(0))
    files, labels = [], []
    for images in digit_sets():
        wanted = np.linspace(0, len(images) - 1, count or len(images)).astype(np.int64)
        labels.append(images.labels[wanted])
        files += [
            _drawn(decode(images.reader.read(int(n))), (size, share), field, draw) for n in wanted
        ]
    return files, np.concatenate(labels)


def texture(draw: np.random.Generator) -> NDArray[np.float32]:
    """Return a field (FIELD, FIELD, 3) of mean 0 and deviation 1 with amplitudes of 1/f.

    Three quarters of it are grey, as the channels of a photograph go together.
    """
    rows, columns = np.fft.fftfreq(FIELD)[:, None], np.fft.rfftfreq(FIELD)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    spectra = (np.fft.rfft2(draw.normal(size=(FIELD, FIELD))) / frequency for _ in range(4))
    grey, *colours = (np.fft.irfft2(spectrum) for spectrum in spectra)
    field = np.stack([3 * grey + colour for colour in colours], axis=-1)
    return np.asarray(field / field.std(), np.float32)


def _drawn(
    digit: NDArray[np.uint8],
    size: tuple[int, float],
    field: NDArray[np.float32],
    draw: np.random.Generator,
) -> bytes:
    """Return the JPEG file of a digit (H, W, 3), of a size and a share of the picture."""
    sides = _sides(size[0], draw)
    large = _placed(digit, sides, size[1], draw)
    top, left = draw.integers(FIELD, size=2)
    rows, columns = (top + np.arange(sides[1])) % FIELD, (left + np.arange(sides[0])) % FIELD
    pixels = large + TEXTURE * field[np.ix_(rows, columns)]
    pixels += draw.normal(scale=NOISE, size=pixels.shape)
    file = io.BytesIO()
    pixels = pixels.round().clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _placed(
    digit: NDArray[np.uint8], sides: tuple[int, int], share: float, draw: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture of some sides (width, height) with the digit somewhere in its middle."""
    own = [round(side * share) for side in sides]
    scaled = np.asarray(Image.fromarray(digit).resize(own, Image.Resampling.BICUBIC))
    if share == 1:
        return scaled
    background = np.median(np.concatenate([digit[0], digit[-1]]), axis=0)
    picture = np.full((sides[1], sides[0], 3), background, np.uint8)
    room = MIDDLE * min(sides)
    left, top = (
        round((side - room) / 2 + draw.uniform(0, max(room - part, 0)))
        for side, part in zip(sides, own, strict=True)
    )
    picture[top : top + own[1], left : left + own[0]] = scaled
    return picture


def _sides(size: int, draw: np.random.Generator) -> tuple[int, int]:
    """Draw width and height of a picture: as much larger than the input as ImageNet's are."""
    shorter = size * draw.uniform(*SHORTER)
    sides = (round(shorter), round(shorter * draw.uniform(*LONGER)))
    return sides if draw.random() < 0.5 else sides[::-1]
