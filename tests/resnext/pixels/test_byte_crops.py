"""The pipelines of torchvision, timm, MXNet and Caffe: equal in every bit to their libraries."""

import hashlib
import json
import pickle
import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

import resnext
from resnext.errors import ImageError, PreprocessingError
from resnext.pixels.decoding import decode
from resnext.pixels.opencv import opencv, prepare_opencv, prepare_ten_opencv, resize_with_opencv
from resnext.pixels.pil import resize_with_pil
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import IMAGENET, Interpolation, Pipeline, Preprocessing
from tests.support.golden import DATA

IMAGES = DATA / "images"
# Written by torchvision's Resize, CenterCrop, ToTensor and Normalize over Pillow, and by cv2.resize
# with NumPy: tests/data/images/README.md.
EXPECTED = json.loads((IMAGES / "expected_pipelines.json").read_text())["sha256_float32_chw"]
GOLDEN = [(way, name) for way, names in EXPECTED.items() for name in names]
# The golden pictures of OpenCV are normalised on the scale of bytes, as its users do.
CAFFE = {"mean": (123.68, 116.78, 103.94), "std": (58.4, 57.1, 57.4), "white": 255}
TORCHVISION = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1), "white": 255}

needs_opencv = pytest.mark.skipif(
    find_spec("cv2") is None, reason="OpenCV is not installed (extra [opencv])"
)


def row(way: str) -> Preprocessing:
    """Return the preprocessing that a golden name states: "pil bicubic 303 288"."""
    pipeline, interpolation, scale, crop = way.split()
    return Preprocessing(
        scale=int(scale),
        crop=int(crop),
        pipeline=Pipeline(pipeline),
        interpolation=Interpolation(interpolation),
        **(CAFFE if pipeline == "opencv" else TORCHVISION),
    )


@pytest.mark.parametrize(
    ("way", "name"),
    [
        pytest.param(*pair, marks=[needs_opencv] if pair[0].startswith("opencv") else [])
        for pair in GOLDEN
    ],
)
def test_centre_crop_equals_the_librarys_in_every_bit(way: str, name: str) -> None:
    found = resnext.prepare((IMAGES / name).read_bytes(), row(way))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert hashlib.sha256(found.tobytes()).hexdigest() == EXPECTED[way][name]


def test_golden_pictures_tell_the_pipelines_apart() -> None:
    assert len({EXPECTED[way]["landscape_420.JPEG"] for way in EXPECTED}) == len(EXPECTED) == 12


def busy(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


# Where centre crops start, and how long longer sides become, worked out by hand


@pytest.mark.parametrize(
    ("shape", "place"),
    [((5, 4), (1, 1)), ((7, 4), (2, 1)), ((9, 5), (3, 1))],
)
def test_centre_crop_of_opencv_starts_at_the_half_rounded_down(
    shape: tuple[int, int], place: tuple[int, int]
) -> None:
    """MXNet and Caffe divide whole numbers: (5 - 2) / 2 is 1, where torchvision takes 2."""
    pixels = busy(*shape)
    top, left = place
    found = prepare_opencv(pixels, Preprocessing(scale=None, crop=2, pipeline="opencv", **PLAIN))
    expected = pixels[top : top + 2, left : left + 2].transpose(2, 0, 1)
    np.testing.assert_array_equal(found, expected)


def test_ten_crops_of_opencv_are_those_of_the_original() -> None:
    rows, columns = np.mgrid[:4, :4]
    pixels = np.repeat((10 * rows + columns).astype(np.uint8)[..., None], 3, axis=2)
    ten = prepare_ten_opencv(pixels, Preprocessing(scale=None, crop=2, pipeline="opencv", **PLAIN))
    assert ten.shape == (10, 3, 2, 2)
    assert [int(each[0, 0, 0]) for each in ten] == [11, 0, 2, 20, 22, 12, 3, 1, 23, 21]


@needs_opencv
@pytest.mark.parametrize(
    ("shape", "size"), [((4, 7), (3, 5)), ((7, 4), (5, 3)), ((375, 500), (256, 341))]
)
def test_longer_side_is_rounded_down(shape: tuple[int, int], size: tuple[int, int]) -> None:
    way = Preprocessing(scale=min(size), crop=2, pipeline="opencv", **PLAIN)
    pixels = busy(*shape)
    found = resize_with_opencv(pixels, size, Interpolation.BILINEAR)
    top, left = ((side - 2) // 2 for side in size)
    expected = found[top : top + 2, left : left + 2].transpose(2, 0, 1)
    np.testing.assert_array_equal(prepare_opencv(pixels, way), expected)


# Scaling, against the formulas


def taps(source: int, target: int) -> tuple[np.ndarray, ...]:
    """Return both neighbours of each target pixel of a line, and their weights of 11 bits."""
    place = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    left = np.floor(place).astype(int)
    part = place - left.astype(np.float32)
    part[(left < 0) | (left >= source - 1)] = 0
    left = np.clip(left, 0, source - 1)
    right = np.minimum(left + 1, source - 1)
    weights = np.rint(np.stack([np.float32(1) - part, part]) * 2048).astype(np.int64)
    return left, right, *weights


def fixed_point(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return OpenCV's bilinear scaling of bytes in plain whole numbers.

    Source: OpenCV 4, modules/imgproc/src/resize.cpp: weights of 11 bits, both directions rounded
    once at the end, of sums that have lost four bits and then sixteen.
    """
    (top, bottom, above, below), (left, right, before, after) = (
        taps(source, target) for source, target in zip(pixels.shape[:2], size, strict=True)
    )
    wide = pixels.astype(np.int64)
    rows = wide[:, left] * before[:, None] + wide[:, right] * after[:, None]
    sums = (above[:, None, None] * (rows[top] >> 4) >> 16) + (
        below[:, None, None] * (rows[bottom] >> 4) >> 16
    )
    return np.clip((sums + 2) >> 2, 0, 255).astype(np.uint8)


@needs_opencv
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((375, 500), (256, 341)),
        ((500, 333), (384, 256)),
        ((1200, 900), (309, 232)),
        ((333, 333), (256, 256)),
        ((512, 512), (256, 256)),
    ],
)
def test_bilinear_of_opencv_is_its_fixed_point_formula(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    pixels = busy(*shape)
    found = resize_with_opencv(pixels, size, Interpolation.BILINEAR)
    np.testing.assert_array_equal(found, fixed_point(pixels, size))


@needs_opencv
def test_bicubic_of_opencv_is_catmull_rom_of_three_quarters() -> None:
    """A single bright column under a = -0.75: the weights of distances 0.5 and 1.5, twice over."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4] = 100
    (row, *_) = resize_with_opencv(pixels, (8, 4), Interpolation.BICUBIC)[..., 0]
    # w(0.5) = 0.59375 and w(1.5) = -0.09375, from which bytes keep what is not negative.
    assert row.tolist() == [0, 0, 59, 0]


@needs_opencv
def test_bilinear_of_opencv_does_not_antialias() -> None:
    """Every fourth of bright columns: 2 x 2 pixels see them or not, an average would be gray."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::4] = 255
    found = resize_with_opencv(pixels, (16, 16), Interpolation.BILINEAR)
    assert set(np.unique(found)) == {0}
    assert set(np.unique(resize_with_pil(pixels, (16, 16), Interpolation.BILINEAR))) != {0}


# What is asked for wins; what is missing is said


def test_prepare_takes_the_pipeline_of_the_row() -> None:
    data = (IMAGES / "landscape_420.JPEG").read_bytes()
    way = IMAGENET.with_pipeline(Pipeline.PIL)
    found = resnext.prepare(data, way)
    assert (
        hashlib.sha256(found.tobytes()).hexdigest()
        == (EXPECTED["pil bilinear 256 224"]["landscape_420.JPEG"])
    )
    ten = resnext.prepare_ten(data, way)
    assert ten.shape == (10, 3, 224, 224)
    np.testing.assert_array_equal(ten[0], found)


def test_transform_takes_the_pipeline_of_the_row_and_can_be_pickled() -> None:
    way = row("pil bicubic 235 224")
    transform = pickle.loads(pickle.dumps(resnext.Transform(way)))  # noqa: S301
    found = transform((IMAGES / "landscape_420.JPEG").read_bytes()).numpy()
    assert (
        hashlib.sha256(found.tobytes()).hexdigest()
        == (EXPECTED["pil bicubic 235 224"]["landscape_420.JPEG"])
    )


@pytest.mark.parametrize("use", [resnext.Transform, Preparation], ids=["Transform", "Preparation"])
def test_opencv_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[Preprocessing], object]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    opencv.cache_clear()
    way = IMAGENET.with_pipeline(Pipeline.OPENCV)
    with pytest.raises(
        PreprocessingError, match=r"opencv pipeline takes OpenCV.* extra \[opencv\]"
    ):
        use(way)
    opencv.cache_clear()


@needs_opencv
def test_narrow_picture_of_opencv_is_refused_as_under_other_pipelines() -> None:
    way = Preprocessing(scale=256, crop=224, pipeline="opencv", **TORCHVISION)
    with pytest.raises(ImageError, match="pixels"):
        prepare_opencv(busy(1, 2_000_000), way)


@needs_opencv
def test_decoder_gives_opencv_the_pixels_of_its_own() -> None:
    """OpenCV decodes with libjpeg's defaults too; its EXIF orientation is switched off here."""
    cv2 = opencv()
    for name in ("landscape_420.JPEG", "grayscale.JPEG", "exif_rotated.JPEG", "large.JPEG"):
        data = (IMAGES / name).read_bytes()
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), flags)[:, :, ::-1]
        np.testing.assert_array_equal(decode(data), theirs)
