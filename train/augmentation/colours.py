"""How the colours of a training picture change, as in 2017, with the numbers that are drawn.

Pictures are planes (3, H, W) float32. Source: datasets/transforms.lua and datasets/imagenet.lua of
the original release.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from train.recipe.random_streams import RandomSource

if TYPE_CHECKING:
    from collections.abc import Callable

Planes = NDArray[np.float32]

# What a gray value takes of red, green and blue.
GRAY: Final = np.array([0.299, 0.587, 0.114], np.float32)

# Principal components of the colours of ImageNet's pixels: values, and vectors as columns.
COLOUR_VALUES: Final = np.array([0.2175, 0.0188, 0.0045])
COLOUR_VECTORS: Final = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


def color_jitter(picture: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Change brightness, contrast and saturation, each by up to `strength`, in random order."""
    if not strength:
        return picture
    changes: list[Callable[[Planes, float, RandomSource], Planes]] = [
        brightness,
        contrast,
        saturation,
    ]
    for place in numbers.order(len(changes)):
        picture = changes[place](picture, strength, numbers)
    return picture


def brightness(picture: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Multiply a picture (3, H, W) by a random number around 1."""
    return picture * np.float32(_alpha(strength, numbers))


def contrast(picture: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Blend a picture (3, H, W) with its mean gray value."""
    alpha = _alpha(strength, numbers)
    mean = _gray(picture).mean(dtype=np.float64)
    return picture * np.float32(alpha) + np.float32((1 - alpha) * mean)


def saturation(picture: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Blend a picture (3, H, W) with its gray values."""
    alpha = _alpha(strength, numbers)
    return picture * np.float32(alpha) + np.float32(1 - alpha) * _gray(picture)


def lighting(picture: Planes, deviation: float, numbers: RandomSource, *, white: int = 1) -> Planes:
    """Shift the colours of a picture (3, H, W) along the principal ones of ImageNet.

    Args:
        deviation: of the three random numbers.
        white: the value of a byte of 255; the principal colours are for 1.
    """
    if not deviation:
        return picture
    alpha = np.array(numbers.normal(3, deviation))
    shift = white * (COLOUR_VECTORS * alpha * COLOUR_VALUES).sum(axis=1)
    shifted: Planes = picture + shift.astype(np.float32)[:, None, None]
    return shifted


def _alpha(strength: float, numbers: RandomSource) -> float:
    return 1.0 + numbers.uniform(-strength, strength)


def _gray(picture: Planes) -> Planes:
    """Return the gray values (H, W)."""
    red, green, blue = picture
    gray: Planes = GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue
    return gray
