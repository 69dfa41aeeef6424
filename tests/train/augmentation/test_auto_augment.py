"""TrivialAugmentWide and RandAugment: operations, magnitudes, and what is drawn for them.

The expected pixels are worked out by hand from torchvision's published definitions; the tests that
are marked `peers` ask torchvision itself.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.peers import import_torchvision
from resnext.pixels.decoding import decode
from resnext.preprocessing import Preprocessing
from tests.support.golden import DATA
from train.augmentation.auto_augment import (
    OPERATIONS,
    RAND_AUGMENT,
    TRIVIAL_AUGMENT_WIDE,
    auto_augment,
)
from train.augmentation.view import TrainingView, augment
from train.recipe.augmentation import Augmentation, AutoAugment, Crop

PHOTOGRAPH = DATA / "images" / "landscape_420.JPEG"
# The order in which torchvision lists the operations, and by which they are drawn.
NAMES = (
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness"),
    *("Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"),
)
needs_torchvision = pytest.mark.skipif(
    find_spec("torchvision") is None, reason="torchvision is not installed"
)


class Drawn:
    """Whole numbers that are written down, with the bounds that are asked for."""

    def __init__(self, *rows: tuple[int, int]) -> None:
        self.rows = list(rows)

    def whole(self, low: int, high: int) -> int:
        most, value = self.rows.pop(0)
        assert (low, high) == (0, most)
        return value

    def uniform(self, low: float, high: float) -> float:
        raise AssertionError((low, high))

    order = normal = uniform


def gray(rows: list[list[int]]) -> Image.Image:
    """Return a gray picture as RGB."""
    return Image.fromarray(np.repeat(np.array(rows, np.uint8)[:, :, None], 3, axis=2))


def levels(image: Image.Image) -> list[list[int]]:
    pixels = np.asarray(image)
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0].tolist()


RAMP = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]


@pytest.mark.parametrize(
    ("name", "magnitude", "expected"),
    [
        ("Identity", 0.0, RAMP),
        # A row's pixel at x is read at x + 0.5 * (y + 0.5), whole pixels by rounding down: the
        # shift is 0.25, 0.75 and 1.25, beside the half in which pixels have their centre.
        ("ShearX", 0.5, [[10, 20, 30], [50, 60, 0], [80, 90, 0]]),
        ("ShearY", 0.5, [[10, 50, 60], [40, 80, 90], [70, 0, 0]]),
        ("TranslateX", 1.9, [[0, 10, 20], [0, 40, 50], [0, 70, 80]]),
        ("TranslateX", -1.9, [[20, 30, 0], [50, 60, 0], [80, 90, 0]]),
        ("TranslateY", 1.0, [[0, 0, 0], [10, 20, 30], [40, 50, 60]]),
        ("Rotate", 90.0, [[30, 60, 90], [20, 50, 80], [10, 40, 70]]),
        ("Rotate", -90.0, [[70, 40, 10], [80, 50, 20], [90, 60, 30]]),
        # Black and the picture, mixed.
        ("Brightness", 0.5, [[15, 30, 45], [60, 75, 90], [105, 120, 135]]),
        ("Brightness", -0.5, [[5, 10, 15], [20, 25, 30], [35, 40, 45]]),
        ("Color", -0.99, RAMP),
        # The mean gray, 50, and the picture.
        ("Contrast", -0.5, [[30, 35, 40], [45, 50, 55], [60, 65, 70]]),
        ("Contrast", 0.5, [[0, 5, 20], [35, 50, 65], [80, 95, 110]]),
        # The smoothing kernel has the weights 1 and 5 of 13, and leaves a ramp's middle.
        ("Sharpness", 0.9, RAMP),
        ("Posterize", 3.0, [[0, 0, 0], [32, 32, 32], [64, 64, 64]]),
        ("Solarize", 50.0, [[10, 20, 30], [40, 205, 195], [185, 175, 165]]),
        ("AutoContrast", 0.0, [[0, 31, 63], [95, 127, 159], [191, 223, 255]]),
    ],
    ids=lambda value: str(value) if isinstance(value, str | float) else "",
)
def test_operation_does_what_torchvision_defines(
    name: str, magnitude: float, expected: list[list[int]]
) -> None:
    assert levels(OPERATIONS[name](gray(RAMP), magnitude)) == expected


def test_color_mixes_with_the_gray_value() -> None:
    found = OPERATIONS["Color"](Image.fromarray(np.array([[[200, 100, 50]]], np.uint8)), -0.5)
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 is 124.2.
    assert np.asarray(found).tolist() == [[[162, 112, 87]]]


def test_sharpness_blurs_what_lies_inside() -> None:
    image = gray([[0, 0, 0], [0, 130, 0], [0, 0, 0]])
    assert levels(OPERATIONS["Sharpness"](image, -0.5)) == [[0, 0, 0], [0, 90, 0], [0, 0, 0]]


def test_equalize_spreads_the_levels_evenly() -> None:
    rows = [[10] * 51] * 5 + [[20] * 51] * 5 + [[30] * 51] * 5  # 255 pixels of each
    found = levels(OPERATIONS["Equalize"](gray(rows), 0.0))
    assert found == [[0] * 51] * 5 + [[128] * 51] * 5 + [[255] * 51] * 5


def test_operations_stand_in_torchvisions_order() -> None:
    assert tuple(TRIVIAL_AUGMENT_WIDE) == tuple(RAND_AUGMENT) == tuple(OPERATIONS) == NAMES


@pytest.mark.parametrize(
    ("name", "ends", "rand_ends", "signed"),
    [
        ("ShearX", (0, 0.99), (0, 0.3), True),
        ("ShearY", (0, 0.99), (0, 0.3), True),
        ("TranslateX", (0, 32), (0, 150 / 331 * 97), True),
        ("TranslateY", (0, 32), (0, 150 / 331 * 131), True),
        ("Rotate", (0, 135), (0, 30), True),
        ("Brightness", (0, 0.99), (0, 0.9), True),
        ("Color", (0, 0.99), (0, 0.9), True),
        ("Contrast", (0, 0.99), (0, 0.9), True),
        ("Sharpness", (0, 0.99), (0, 0.9), True),
        ("Solarize", (255, 0), (255, 0), False),
    ],
)
def test_magnitudes_are_those_of_torch_in_every_bit(
    name: str, ends: tuple[float, float], rand_ends: tuple[float, float], signed: bool
) -> None:
    image = Image.new("RGB", (97, 131))
    for space, (first, last) in ((TRIVIAL_AUGMENT_WIDE, ends), (RAND_AUGMENT, rand_ends)):
        found = space[name]
        assert found is not None
        assert found.signed == signed
        expected = torch.linspace(first, last, 31).tolist()
        assert [found.at(place, image) for place in range(31)] == expected


def test_posterize_keeps_whole_bits() -> None:
    image = Image.new("RGB", (1, 1))
    wide, rand = TRIVIAL_AUGMENT_WIDE["Posterize"], RAND_AUGMENT["Posterize"]
    assert wide is not None
    assert rand is not None
    found = [wide.at(place, image) for place in range(31)]
    assert found == [8] * 3 + [7] * 5 + [6] * 5 + [5] * 5 + [4] * 5 + [3] * 5 + [2] * 3
    assert rand.at(9, image) == 7


@pytest.mark.parametrize("name", ["Identity", "AutoContrast", "Equalize"])
def test_operation_without_a_magnitude_draws_none(name: str) -> None:
    assert TRIVIAL_AUGMENT_WIDE[name] is RAND_AUGMENT[name] is None


def planes(rows: list[list[int]]) -> np.ndarray:
    """Return a gray picture as planes (3, H, W) in which white is 1."""
    return np.repeat(np.array(rows, np.float32)[None], 3, axis=0) / np.float32(255)


def test_trivial_augment_draws_operation_magnitude_and_sign() -> None:
    numbers = Drawn((13, 3), (30, 1), (1, 1))  # TranslateX, 32/30, with a minus
    found = auto_augment(planes(RAMP), AutoAugment.TRIVIAL, numbers, white=1)
    assert numbers.rows == []
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1] * 255, [[20, 30, 0], [50, 60, 0], [80, 90, 0]], atol=1e-4)


def test_trivial_augment_draws_no_sign_where_there_is_none() -> None:
    numbers = Drawn((13, 11), (30, 30))  # Solarize, 0: every pixel is inverted
    found = auto_augment(planes(RAMP), AutoAugment.TRIVIAL, numbers, white=1)
    assert numbers.rows == []
    np.testing.assert_allclose(found[0] * 255, 255 - np.array(RAMP), atol=1e-4)


def test_rand_augment_draws_two_operations_of_magnitude_nine() -> None:
    numbers = Drawn((13, 6), (1, 0), (13, 12))  # Brightness 0.27, AutoContrast
    found = auto_augment(planes([[0, 100, 200]]), AutoAugment.RAND, numbers, white=1)
    assert numbers.rows == []
    # 0, 127, 254, then stretched to 0 ... 255.
    np.testing.assert_allclose(found[2] * 255, [[0, 127, 255]], atol=1e-4)


def test_values_beyond_black_and_white_are_cut_and_others_rounded() -> None:
    image = np.full((3, 1, 4), 0, np.float32)
    image[:] = np.array([-3.0, 99.4, 99.6, 300.0], np.float32)
    found = auto_augment(image, AutoAugment.TRIVIAL, Drawn((13, 0)), white=255)
    assert found.tolist() == [[[0, 99, 100, 255]]] * 3


def test_none_draws_nothing_and_changes_nothing() -> None:
    image = np.full((3, 2, 2), 0.123, np.float32)
    assert auto_augment(image, AutoAugment.NONE, Drawn(), white=1) is image


@pytest.mark.parametrize("kind", [AutoAugment.TRIVIAL, AutoAugment.RAND])
def test_picture_depends_on_seed_epoch_and_position_alone(kind: AutoAugment) -> None:
    pixels = decode(PHOTOGRAPH.read_bytes())
    preprocessing = Preprocessing(scale=40, crop=32, mean=(0.5,) * 3, std=(0.2,) * 3)
    augmentation = Augmentation(crop=Crop.RANDOM_CROP, padding=4, auto_augment=kind)
    views = [TrainingView(preprocessing, augmentation, 7, 3) for _ in range(2)]
    first = [views[0](pixels, position) for position in range(8)]
    again = [views[1](pixels, position) for position in reversed(range(8))][::-1]
    np.testing.assert_array_equal(first, again)
    assert len({each.tobytes() for each in first}) == 8


def test_operations_come_after_the_resized_crop_and_before_the_colours() -> None:
    pixels = np.repeat(np.array([[0, 100], [100, 200]], np.uint8)[:, :, None], 3, axis=2)
    preprocessing = Preprocessing(scale=None, crop=2, mean=(0.0,) * 3, std=(1.0,) * 3)
    augmentation = Augmentation(
        crop=Crop.RANDOM_RESIZED_CROP, auto_augment=AutoAugment.TRIVIAL, brightness=0.5, flip=0
    )

    class Script(Drawn):
        def __init__(self) -> None:
            super().__init__((0, 0), (0, 0), (13, 12))  # top, left, AutoContrast
            self.asked = [1.0, 1.0, 0.9, 0.5]  # area, aspect, no exchange, brighter by a half

        def uniform(self, low: float, high: float) -> float:
            assert low <= self.asked[0] <= high
            return self.asked.pop(0)

        def order(self, count: int) -> list[int]:
            return list(range(count))

    numbers = Script()
    found = augment(pixels, preprocessing, augmentation, numbers)
    assert (numbers.rows, numbers.asked) == ([], [])
    # Stretched to 0, 127 and 254, then half as much again: colours are not cut at white.
    np.testing.assert_allclose(found[0] * 255, [[0, 190.5], [190.5, 381]], atol=1e-3)


@pytest.mark.peers
@needs_torchvision
@pytest.mark.parametrize("size", [(224, 224), (32, 32), (97, 131), (1, 5)])
@pytest.mark.parametrize("name", NAMES)
def test_torchvision_itself_gives_the_same_pixels(name: str, size: tuple[int, int]) -> None:
    theirs = import_torchvision("torchvision.transforms.autoaugment")
    nearest = import_torchvision("torchvision.transforms").InterpolationMode.NEAREST
    image = Image.open(PHOTOGRAPH).convert("RGB").resize(size)
    wide = theirs.TrivialAugmentWide()._augmentation_space(31)
    rand = theirs.RandAugment()._augmentation_space(31, (size[1], size[0]))
    for space, expected in ((TRIVIAL_AUGMENT_WIDE, wide), (RAND_AUGMENT, rand)):
        assert tuple(space) == tuple(expected)
        magnitudes, signed = expected[name]
        values = magnitudes.tolist() if magnitudes.ndim else [0.0]
        mine = space[name]
        if mine is not None:
            assert mine.signed == signed
            assert [mine.at(place, image) for place in range(31)] == values
        else:
            assert not magnitudes.ndim
        for value in (*values, *(-each for each in values if signed)):
            found = OPERATIONS[name](image, value).tobytes()
            assert found == theirs._apply_op(image, name, value, nearest, None).tobytes(), value


@pytest.mark.peers
@needs_torchvision
@pytest.mark.parametrize("name", ["TrivialAugmentWide", "RandAugment"])
def test_torchvision_itself_given_the_same_numbers_gives_the_same_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = getattr(import_torchvision("torchvision.transforms.autoaugment"), name)()
    kind = AutoAugment.TRIVIAL if name == "TrivialAugmentWide" else AutoAugment.RAND
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB").resize((64, 48)))
    generator = np.random.default_rng(0)
    drawn: list[tuple[int, int]] = []

    def randint(high: int, *_: object, **__: object) -> torch.Tensor:
        drawn.append((high - 1, int(generator.integers(high))))
        return torch.tensor([drawn[-1][1]])

    monkeypatch.setattr(torch, "randint", randint)
    for _ in range(200):
        drawn.clear()
        expected = np.asarray(theirs(Image.fromarray(pixels)))
        image = pixels.transpose(2, 0, 1).astype(np.float32)
        found = auto_augment(image, kind, Drawn(*drawn), white=255)
        np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))
