"""The usual PyTorch pipeline: sizes and places worked out by hand from torchvision's rules."""

import numpy as np
import pytest

from resnext.errors import ImageError
from resnext.pixels.pil import prepare_pil, prepare_ten_pil
from resnext.preprocessing import Preprocessing

PLAIN = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
CROP_2 = Preprocessing(scale=None, crop=2, **PLAIN)


def picture(height: int, width: int) -> np.ndarray:
    """Return (H, W, 3) uint8 whose red is ten times the row and the column added to it."""
    rows, columns = np.mgrid[:height, :width]
    return np.repeat((10 * rows + columns).astype(np.uint8)[..., None], 3, axis=2)


def bytes_of(prepared: np.ndarray) -> list:
    """Return the red channel before it was normalised."""
    return np.rint((prepared[0] * 0.25 + 0.5) * 255).astype(int).tolist()


def test_centre_crop_starts_at_the_half_rounded_to_even() -> None:
    # (5 - 2) / 2 = 1.5 becomes 2; (7 - 2) / 2 = 2.5 becomes 2, where the original takes 3.
    assert bytes_of(prepare_pil(picture(5, 4), CROP_2)) == [[21, 22], [31, 32]]
    assert bytes_of(prepare_pil(picture(7, 4), CROP_2)) == [[21, 22], [31, 32]]


def test_values_are_divided_by_255_and_normalised() -> None:
    white = np.full((2, 2, 3), 255, np.uint8)
    assert prepare_pil(white, CROP_2).tolist() == np.full((3, 2, 2), 2.0).tolist()


def test_longer_side_is_rounded_down_after_scaling() -> None:
    # int(3 * 7 / 4) = 5 columns: the crop of 3 starts at round((5 - 3) / 2) = 1.
    prepared = prepare_pil(
        np.full((4, 7, 3), 51, np.uint8), Preprocessing(scale=3, crop=3, **PLAIN)
    )
    assert prepared.shape == (3, 3, 3)
    assert bytes_of(prepared) == [[51] * 3] * 3


def test_ten_crops_are_centre_and_corners_then_those_of_the_mirror_image() -> None:
    ten = prepare_ten_pil(picture(4, 4), CROP_2)
    assert ten.shape == (10, 3, 2, 2)
    firsts = [bytes_of(each)[0][0] for each in ten]
    assert firsts == [11, 0, 2, 20, 22, 12, 3, 1, 23, 21]


def test_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(ImageError, match="at least 2 x 2 pixels expected, found 5 x 1"):
        prepare_pil(picture(1, 5), CROP_2)
