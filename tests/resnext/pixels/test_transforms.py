import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resnext.errors import ImageError, PreprocessingError
from resnext.pixels.decoding import decode
from resnext.pixels.pipelines import prepare, prepare_ten
from resnext.pixels.transforms import prepare_pixels, prepare_ten_pixels
from resnext.preprocessing import CIFAR10, IMAGENET, Preprocessing
from tests.support.golden import DATA

IMAGES = DATA / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text(encoding="utf-8"))
TEN = "ten_crop_sha256_float32_nchw"

both_engines = pytest.mark.usefixtures("engine")

# Keeps the values of bytes, so that a test can identify pixels.
PLAIN = Preprocessing(scale=None, crop=2, mean=(0, 0, 0), std=(1, 1, 1), white=255)


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def numbered(height: int, width: int) -> np.ndarray:
    """Return a picture whose pixels have their own number, row by row, in all three channels."""
    return np.arange(height * width, dtype=np.uint8).reshape(height, width, 1).repeat(3, axis=2)


@both_engines
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_centre_crop_equals_torch7_in_every_bit(name: str) -> None:
    found = prepare((IMAGES / name).read_bytes(), IMAGENET)
    assert (found.shape, found.dtype) == ((3, 224, 224), np.float32)
    assert found.flags.c_contiguous
    with np.load(IMAGES / "expected_patches.npz") as patches:
        np.testing.assert_array_equal(found[:, 104:120, 104:120], patches[name])
    assert sha256(found) == EXPECTED[name]["sha256_float32_chw"]


@both_engines
@pytest.mark.parametrize("name", sorted(name for name, row in EXPECTED.items() if TEN in row))
def test_ten_crops_equal_torch7_in_every_bit(name: str) -> None:
    found = prepare_ten((IMAGES / name).read_bytes(), IMAGENET)
    assert found.shape == (10, 3, 224, 224)
    assert found.flags.c_contiguous
    assert sha256(found) == EXPECTED[name][TEN]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_decoded_size_equals_torch7(name: str) -> None:
    row = EXPECTED[name]
    expected = (row["height"], row["width"], row["channels"])
    assert decode((IMAGES / name).read_bytes()).shape == expected


def test_centre_crop_with_odd_margins_rounds_its_place_up() -> None:
    found = prepare_pixels(numbered(3, 5), PLAIN)
    assert found[0].tolist() == [[7, 8], [12, 13]]


def test_ten_crops_with_odd_margins_follow_the_original_order() -> None:
    found = prepare_ten_pixels(numbered(3, 5), PLAIN)
    assert found[:, 2].tolist() == [
        [[7, 8], [12, 13]],
        [[0, 1], [5, 6]],
        [[3, 4], [8, 9]],
        [[5, 6], [10, 11]],
        [[8, 9], [13, 14]],
        [[7, 6], [12, 11]],  # not the mirror image of the first
        [[4, 3], [9, 8]],
        [[1, 0], [6, 5]],
        [[9, 8], [14, 13]],
        [[6, 5], [11, 10]],
    ]


def test_cifar_pixels_are_normalised_as_bytes() -> None:
    found = prepare_pixels(np.full((32, 32, 3), (255, 0, 128), np.uint8), CIFAR10)
    expected = [(255 - 125.3) / 63, (0 - 123) / 62.1, (128 - 113.9) / 66.7]
    np.testing.assert_allclose(found[:, 31, 0], expected, rtol=1e-6)


def test_crop_of_the_whole_picture_keeps_every_pixel() -> None:
    found = prepare_pixels(numbered(2, 2), PLAIN)
    assert found.tolist() == [[[0, 1], [2, 3]]] * 3


def test_picture_smaller_than_the_crop_is_refused_where_nothing_scales() -> None:
    with pytest.raises(ImageError, match="at least 32 x 32 pixels expected, found 40 x 31"):
        prepare_pixels(numbered(31, 40), CIFAR10)


def test_picture_of_one_row_is_refused_where_its_scaled_size_is_absurd() -> None:
    with pytest.raises(ImageError, match="found 5120000 x 256"):
        prepare_pixels(numbered(1, 20000), IMAGENET)


@both_engines
def test_pixels_serve_two_preprocessings() -> None:
    data = (IMAGES / "odd_501x377.JPEG").read_bytes()
    pixels = decode(data)
    small = replace(IMAGENET, scale=36, crop=32)
    assert sha256(prepare_pixels(pixels, small)) == sha256(prepare(data, small))
    expected = EXPECTED["odd_501x377.JPEG"]["sha256_float32_chw"]
    assert sha256(prepare_pixels(pixels, IMAGENET)) == expected


both_doors = pytest.mark.parametrize("door", [prepare, prepare_ten], ids=["one", "ten"])


@both_doors
@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        (None, "no preprocessing is known for these weights; give a resnext.Preprocessing, or"),
        ("imagenet", "a resnext.Preprocessing expected, found str; give the checkpoint's own"),
    ],
    ids=["none", "name"],
)
def test_preprocessing_that_is_none_is_refused(
    door: Callable[..., np.ndarray], preprocessing: object, message: str
) -> None:
    with pytest.raises(PreprocessingError, match=message):
        door(b"", preprocessing)


@both_doors
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (IMAGES / "cat.jpg", "PosixPath"),
        ("cat.jpg", "str"),
        (Image.new("RGB", (2, 2)), "Image"),
        (np.zeros((2, 2, 3), np.uint8), "ndarray"),
    ],
    ids=["path", "text", "picture", "pixels"],
)
def test_what_is_not_the_bytes_of_a_file_is_refused(
    door: Callable[..., np.ndarray], data: object, kind: str
) -> None:
    with pytest.raises(ImageError, match=f"bytes of an image file expected, found {kind}; read"):
        door(data, PLAIN)
