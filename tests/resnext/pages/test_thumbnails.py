"""Small pictures of decoded pixels: how large, in which format, and what they show."""

import io

import numpy as np
import pytest
from PIL import Image

from resnext.pages.thumbnails import thumbnail_of


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "size", "kind"),
    [
        ((32, 32), (32, 32), "png"),
        ((64, 40), (40, 64), "png"),
        ((65, 65), (65, 65), "jpeg"),
        ((400, 600), (160, 107), "jpeg"),
        ((3000, 100), (5, 160), "jpeg"),
        ((1, 5000), (160, 1), "jpeg"),
    ],
    ids=str,
)
def test_thumbnail_is_small_in_pixels_and_bytes(
    shape: tuple[int, int], size: tuple[int, int], kind: str
) -> None:
    found = thumbnail_of(noise(*shape))
    assert (found.width, found.height) == size
    assert found.small == (max(size) <= 64)
    assert found.kind == kind
    assert len(found.data) < 13_000
    with Image.open(io.BytesIO(found.data)) as image:
        assert (image.format, image.size) == (kind.upper(), size)


def test_picture_of_few_pixels_is_kept_without_loss() -> None:
    pixels = noise(20, 30)
    found = thumbnail_of(pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.data))), pixels)


def test_thumbnail_keeps_its_colours() -> None:
    found = thumbnail_of(np.full((300, 300, 3), (200, 100, 50), np.uint8))
    shown = np.asarray(Image.open(io.BytesIO(found.data)).convert("RGB")).astype(int)
    assert np.abs(shown - (200, 100, 50)).max() <= 3
