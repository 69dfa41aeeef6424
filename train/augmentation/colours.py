"""Colour augmentation of 2017: colour jitter and PCA lighting.

Images are planes (3, H, W) float32. The random numbers are drawn in the original's order.
Source: datasets/transforms.lua and datasets/imagenet.lua of the original release.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from train.recipe.random_streams import RandomSource

if TYPE_CHECKING:
    from collections.abc import Callable

Planes = NDArray[np.float32]

# Weights of red, green and blue in a gray value.
GRAY: Final = np.array([0.299, 0.587, 0.114], np.float32)

# Principal components of ImageNet's pixel colours: eigenvalues, and eigenvectors as columns.
COLOUR_VALUES: Final = np.array([0.2175, 0.0188, 0.0045])
COLOUR_VECTORS: Final = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


def color_jitter(
    image: Planes, strengths: tuple[float, float, float], numbers: RandomSource
) -> Planes:
    """Change brightness, contrast and saturation in random order: torchvision's `ColorJitter`.

    Unlike there, values are not rounded or cut at black and white in between, as in 2017.

    Args:
        image: (3, H, W) float32, not normalised.
        strengths: largest relative change of brightness, contrast and saturation; what has 0 stays.
        numbers: draws the order, then a factor for each change that is made.
    """
    if not any(strengths):
        return image
    changes: list[Callable[[Planes, float, RandomSource], Planes]] = [
        brightness,
        contrast,
        saturation,
    ]
    for place in numbers.order(len(changes)):
        if strengths[place]:
            image = changes[place](image, strengths[place], numbers)
    return image


def brightness(image: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Multiply an image (3, H, W) by a random number around 1."""
    return image * np.float32(_alpha(strength, numbers))


def contrast(image: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Blend an image (3, H, W) with its mean gray value."""
    alpha = _alpha(strength, numbers)
    mean = _gray(image).mean(dtype=np.float64)
    return image * np.float32(alpha) + np.float32((1 - alpha) * mean)


def saturation(image: Planes, strength: float, numbers: RandomSource) -> Planes:
    """Blend an image (3, H, W) with its gray values."""
    alpha = _alpha(strength, numbers)
    return image * np.float32(alpha) + np.float32(1 - alpha) * _gray(image)


def pca_lighting(
    image: Planes, deviation: float, numbers: RandomSource, *, white: int = 1
) -> Planes:
    """Shift the colours of an image (3, H, W) along ImageNet's principal components.

    Args:
        deviation: standard deviation of the three random factors.
        white: the value of white in the image; the components are for 1.
    """
    if not deviation:
        return image
    alpha = np.array(numbers.normal(3, deviation))
    shift = white * (COLOUR_VECTORS * alpha * COLOUR_VALUES).sum(axis=1)
    shifted: Planes = image + shift.astype(np.float32)[:, None, None]
    return shifted


def _alpha(strength: float, numbers: RandomSource) -> float:
    return 1.0 + numbers.uniform(-strength, strength)


def _gray(image: Planes) -> Planes:
    """Return the gray values (H, W)."""
    red, green, blue = image
    gray: Planes = GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue
    return gray
