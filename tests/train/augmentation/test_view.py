"""The training augmentations against Torch7's, and what makes them independent of everything."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from resnext.errors import ImageError
from resnext.pixels.decoding import decode
from resnext.pixels.transforms import prepare_pixels
from resnext.preprocessing import CIFAR10, IMAGENET, Preprocessing
from tests.support.golden import DATA
from train.augmentation.colours import (
    brightness,
    color_jitter,
    contrast,
    pca_lighting,
    saturation,
)
from train.augmentation.crops import (
    Planes,
    horizontal_flip,
    random_crop,
    random_resized_crop,
    round_half_up,
)
from train.augmentation.view import TrainingView, augment
from train.recipe.augmentation import Augmentation, Crop
from train.recipe.random_streams import (
    GeneratorSource,
    RandomSource,
    StreamUse,
    epoch_order,
    stream,
)
from train.recipe.recipe import CIFAR_2017, FINETUNE, IMAGENET_2017

SGD = DATA / "sgd"
PHOTOGRAPH = DATA / "images" / "landscape_420.JPEG"
ONE = np.float32(1)


class Recorded:
    """The random numbers that Torch7 drew, in order; another question than its is an error."""

    def __init__(self, rows: list[list]) -> None:
        self.rows = list(rows)

    def _next(self, kind: str, *bounds: float) -> object:
        found, *asked, value = self.rows.pop(0)
        assert found == kind
        assert asked == pytest.approx(list(bounds))
        return value

    def uniform(self, low: float, high: float) -> float:
        return self._next("uniform", low, high)

    def whole(self, low: int, high: int) -> int:
        return self._next("random", low, high)

    def order(self, count: int) -> list[int]:
        return [number - 1 for number in self._next("randperm", count)]

    def normal(self, count: int, deviation: float) -> list[float]:
        assert deviation == 0.1
        values = self._next("normal")
        assert len(values) == count
        return values


def crop(picture: Planes, numbers: RandomSource) -> Planes:
    return random_resized_crop(picture.transpose(1, 2, 0), 24, numbers, unit=ONE)


# What data/lua/augment.lua asked of Torch7.
CHANGES: dict[str, Callable[[Planes, RandomSource], Planes]] = {
    "random_sized_crop": crop,
    "random_sized_crop_2": crop,
    "random_crop_pad4": lambda picture, numbers: random_crop(picture, 32, 4, numbers),
    "horizontal_flip": lambda picture, numbers: horizontal_flip(picture, 0.99, numbers),
    "brightness": lambda picture, numbers: brightness(picture, 0.4, numbers),
    "contrast": lambda picture, numbers: contrast(picture, 0.4, numbers),
    "saturation": lambda picture, numbers: saturation(picture, 0.4, numbers),
    "color_jitter": lambda picture, numbers: color_jitter(picture, (0.4, 0.4, 0.4), numbers),
    "lighting": lambda picture, numbers: pca_lighting(picture, 0.1, numbers),
}


@pytest.mark.parametrize("name", CHANGES)
def test_augmentation_fed_torch7s_random_numbers_gives_its_picture(name: str) -> None:
    numbers = Recorded(json.loads((SGD / "augment_drawn.json").read_text())[name])
    with np.load(SGD / "augment.npz") as golden:
        source, expected = golden["source"], golden[name]
    before = source.copy()
    found = CHANGES[name](source, numbers)
    assert numbers.rows == []
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(source, before)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return decode(PHOTOGRAPH.read_bytes())


class Script:
    """Random numbers that are written down, whatever is asked."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def uniform(self, low: float, high: float) -> float:
        value = self.values.pop(0)
        assert low <= value <= high
        return value

    def whole(self, low: int, high: int) -> int:
        value = self.values.pop(0)
        assert low <= value <= high
        return value

    def order(self, count: int) -> list[int]:
        return [self.values.pop(0) for _ in range(count)]

    def normal(self, count: int, deviation: float) -> list[float]:
        assert deviation == 0.1
        return [self.values.pop(0) for _ in range(count)]


def test_changes_come_in_the_originals_order() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    preprocessing = Preprocessing(scale=8, crop=6, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    # The whole picture; saturation 1.3, brightness 0.8, contrast 0.7; three colours; the mirror.
    numbers = Script(1, 1, 0.9, 0, 0, 2, 0, 1, 0.3, -0.2, -0.3, 0.1, -0.2, 0.3, 0.4)
    found = augment(pixels, preprocessing, IMAGENET_2017.augmentation, numbers)
    assert numbers.values == []
    gray = np.array([0.299, 0.587, 0.114])
    x = pixels / 255  # (6, 6, 3)
    x = 1.3 * x - 0.3 * (x @ gray)[:, :, None]
    x = 0.7 * (0.8 * x) + 0.3 * (0.8 * x @ gray).mean()
    vectors = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    x += np.array(vectors) @ np.array([0.1 * 0.2175, -0.2 * 0.0188, 0.3 * 0.0045])
    x = (x - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]
    np.testing.assert_allclose(found, x[:, ::-1].transpose(2, 0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.49, 0), (0.5, 1), (1.5, 2), (2.49, 2), (2.5, 3), (3.0, 3)]
)
def test_half_is_rounded_up(value: float, rounded: int) -> None:
    assert round_half_up(value) == rounded


def test_random_crop_in_the_middle_is_the_validation_picture(photograph: np.ndarray) -> None:
    height, width, _ = photograph.shape
    longer = int(max(height, width) / min(height, width) * 256)
    left, top = ((longer - 224 + 1) // 2, 16) if width > height else (16, (longer - 224 + 1) // 2)
    found = augment(
        photograph, IMAGENET, Augmentation(crop=Crop.RANDOM_CROP, flip=0), Script(left, top)
    )
    np.testing.assert_array_equal(found, prepare_pixels(photograph, IMAGENET))


def test_resized_crop_that_never_fits_takes_the_scaled_centre() -> None:
    pixels = np.zeros((2, 200, 3), np.uint8)
    pixels[:, 100:] = 255
    # Whole area, any shape: a rectangle of 400 pixels is never two high.
    numbers = Script(*([1.0, 1.0, 0.9] * 10))
    found = random_resized_crop(pixels, 2, numbers, unit=np.float32(1 / 255))
    assert numbers.values == []
    np.testing.assert_array_equal(found, np.stack([[[0, 1], [0, 1]]] * 3).astype(np.float32))


def test_colour_change_of_strength_zero_draws_nothing() -> None:
    picture = np.full((3, 2, 2), 0.5, np.float32)
    # The order of all three, then the factor of brightness alone: 1.2.
    numbers = Script(1, 0, 2, 0.2)
    found = color_jitter(picture, (0.4, 0.0, 0.0), numbers)
    assert numbers.values == []
    np.testing.assert_allclose(found, 0.6, rtol=1e-6)
    assert color_jitter(picture, (0.0, 0.0, 0.0), Script()) is picture


def test_shapes_of_a_ratio_that_is_not_its_own_inverse_stay_in_it() -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    # A quarter of the area, twice as wide as high: 42 x 21; nothing is drawn for an exchange.
    numbers = Script(0.25, 2.0, 0, 9)
    found = random_resized_crop(pixels, 4, numbers, unit=ONE, scale=(0.2, 0.3), ratio=(1.0, 2.0))
    assert numbers.values == []
    np.testing.assert_array_equal(found[:, 0], found[:, 3])
    # With a range that is its own inverse, 21 x 42 after the exchange.
    numbers = Script(0.25, 2.0, 0.4, 0, 20)
    found = random_resized_crop(pixels, 4, numbers, unit=ONE, scale=(0.2, 0.3), ratio=(0.5, 2.0))
    assert numbers.values == []
    assert found[0, :, 0].tolist() == [255] * 4


def test_cifar_recipe_pads_with_zeros_after_the_normalisation() -> None:
    pixels = np.full((32, 32, 3), 200, np.uint8)
    found = augment(pixels, CIFAR10, CIFAR_2017.augmentation, Script(0.9, 0, 0))
    value = (200 - np.array(CIFAR10.mean)) / np.array(CIFAR10.std)
    np.testing.assert_array_equal(found[:, :4], 0)
    np.testing.assert_array_equal(found[:, :, :4], 0)
    np.testing.assert_allclose(found[:, 4:, 4:].mean((1, 2)), value, rtol=1e-5)


@pytest.mark.parametrize(
    "recipe", [IMAGENET_2017, FINETUNE, CIFAR_2017], ids=lambda recipe: recipe.name
)
def test_view_depends_on_seed_epoch_and_position_alone(
    photograph: np.ndarray, recipe: object
) -> None:
    preprocessing = Preprocessing(scale=40, crop=32, mean=(0.5,) * 3, std=(0.2,) * 3)
    view = TrainingView(preprocessing, recipe.augmentation, 7, 3)
    first = view(photograph, 5)
    assert first.shape == (3, 32, 32)
    assert first.flags.c_contiguous
    again = pickle.loads(pickle.dumps(view))  # noqa: S301 - as workers that are spawned get it
    again(photograph, 4)
    np.testing.assert_array_equal(again(photograph, 5), first)
    others = (view(photograph, 6), replace(view, epoch=4)(photograph, 5))
    assert not any(np.array_equal(other, first) for other in others)
    assert not np.array_equal(replace(view, seed=8)(photograph, 5), first)


def test_picture_smaller_than_its_crop_is_refused_where_nothing_scales() -> None:
    view = TrainingView(CIFAR10, CIFAR_2017.augmentation, 0, 1)
    with pytest.raises(ImageError, match="at least 32 x 32 pixels expected, found 32 x 31"):
        view(np.zeros((31, 32, 3), np.uint8), 0)


def test_streams_of_two_uses_differ() -> None:
    draws = [stream(1, use, 2, 3).uniform() for use in StreamUse]
    assert len(set(draws)) == len(draws)


def test_whole_numbers_include_both_bounds() -> None:
    numbers = GeneratorSource(stream(0, StreamUse.PICTURE))
    assert {numbers.whole(2, 4) for _ in range(50)} == {2, 3, 4}


def test_order_of_an_epoch_holds_every_image_once() -> None:
    first, second = (epoch_order(100, seed=1, epoch=epoch) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(100))
    assert list(first) != list(second)
    np.testing.assert_array_equal(epoch_order(100, seed=1, epoch=1), first)
