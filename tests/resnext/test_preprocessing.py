"""A preprocessing is checked whoever states it: the program, a TOML file, a header."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnext.errors import PreprocessingError
from resnext.preprocessing import Pipeline, Preprocessing, read_preprocessing

FIELDS: dict[str, Any] = {"scale": 256, "crop": 224, "mean": (0.5,) * 3, "std": (0.25,) * 3}
WAY = ("pipeline", "interpolation")
SIDE = "must be a whole number of pixels from 1 to 9459, found"
REST = "mean = [0, 0, 0]\nstd = [1, 1, 1]"
WHITE = "white 1 or 255 expected, found"
TRIPLE = "must be three numbers, finite and below 1,000,000, found"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop": 224.0}, f"crop {SIDE} 224.0"),
        ({"crop": "224"}, f"crop {SIDE} '224'"),
        ({"crop": -32}, f"crop {SIDE} -32"),
        ({"crop": 1_000_000}, f"crop {SIDE} 1000000"),
        ({"crop": None}, f"crop {SIDE} None"),
        ({"scale": "256"}, f"scale {SIDE} '256'"),
        ({"scale": 0}, f"scale {SIDE} 0"),
        ({"scale": 100}, "scale 100 is smaller than crop 224"),
        ({"mean": (0.5, 0.5)}, f"mean {TRIPLE} (0.5, 0.5)"),
        ({"mean": (0.5, 0.5, float("nan"))}, f"mean {TRIPLE} (0.5, 0.5, nan)"),
        ({"mean": 0.5}, f"mean {TRIPLE} 0.5"),
        ({"std": (0.5, 0.5, "a")}, f"std {TRIPLE} (0.5, 0.5, 'a')"),
        ({"std": (0.5, 0.0, 0.5)}, "std of at least 1e-30 expected, found (0.5, 0.0, 0.5)"),
        ({"std": (0.5, 1e-39, 0.5)}, "std of at least 1e-30 expected, found (0.5, 1e-39, 0.5)"),
        ({"std": (5e-324,) * 3}, f"std of at least 1e-30 expected, found {(5e-324,) * 3}"),
        ({"crop": 10**500}, f"crop {SIDE} a whole number of about 500 digits"),
        ({"white": 2}, "white 1 or 255 expected, found 2"),
        ({"white": True}, "white 1 or 255 expected, found True"),
        ({"pipeline": "cv2"}, "pipeline is one of torch7, pil, opencv, found 'cv2'"),
        ({"pipeline": None}, "pipeline is one of torch7, pil, opencv, found None"),
        (
            {"interpolation": "bilinear"},
            "interpolation of the torch7 pipeline is bicubic, found 'bilinear'",
        ),
        (
            {"pipeline": "pil", "interpolation": "cubic"},
            "interpolation of the pil pipeline is bilinear or bicubic, found 'cubic'",
        ),
    ],
    ids=str,
)
def test_value_that_cannot_be_applied_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(PreprocessingError) as caught:
        Preprocessing(**{**FIELDS, **fields})
    assert str(caught.value) == message


def test_list_of_three_numbers_is_taken_and_can_be_a_key() -> None:
    row = Preprocessing(**{**FIELDS, "mean": [0.5, 0.5, 0.5]})
    assert {row: 1}[Preprocessing(**FIELDS)] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"crop = 1000000\n{REST}", f"crop {SIDE} 1000000"),
        (f"crop = -32\n{REST}", f"crop {SIDE} -32"),
        ("crop = 32\nmean = [0.5, 0.50, nan]\nstd = [1, 1, 1]", f"mean {TRIPLE} [0.5, 0.50, nan]"),
        ("crop = 32\nstd = [1, 1, 1]", f"mean {TRIPLE} None"),
        ("crop = 0\nwhite = 3", f"crop {SIDE} 0; mean {TRIPLE} None; std {TRIPLE} None; {WHITE} 3"),
        (
            "crop = 32\nzoom = 2",
            f"unknown field 'zoom'; the fields are {', '.join([*FIELDS, 'white', *WAY])}",
        ),
    ],
)
def test_file_that_is_wrong_is_refused_by_name(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(line)
    with pytest.raises(PreprocessingError) as caught:
        read_preprocessing(path)
    assert str(caught.value) == f"{path}: {message}"


def test_numbers_of_numpy_are_taken_as_plain_ones() -> None:
    third = (np.float32(0.5), np.float64(0.5), np.int64(1))
    row = Preprocessing(scale=np.int64(256), crop=np.int32(224), mean=third, std=third)
    assert row == Preprocessing(scale=256, crop=224, mean=(0.5, 0.5, 1.0), std=(0.5, 0.5, 1.0))
    assert {type(row.crop), *map(type, row.mean)} == {int, float}


# Whose arithmetic


@pytest.mark.parametrize(
    ("given", "pixels", "fields"),
    [
        ({}, "torch7", {}),
        ({"pipeline": "torch7", "interpolation": "bicubic"}, "torch7", {}),
        ({"pipeline": "pil"}, "pil", {"pipeline": "pil"}),
        ({"pipeline": "pil", "interpolation": "bilinear"}, "pil", {"pipeline": "pil"}),
        (
            {"pipeline": "pil", "interpolation": "bicubic"},
            "pil bicubic",
            {"pipeline": "pil", "interpolation": "bicubic"},
        ),
        ({"pipeline": "opencv"}, "opencv", {"pipeline": "opencv"}),
    ],
    ids=str,
)
def test_fields_hold_only_what_is_not_the_originals(
    given: dict[str, str], pixels: str, fields: dict[str, str]
) -> None:
    """So that headers of the original's networks stay as they were, and older readers read them."""
    row = Preprocessing(**FIELDS, **given)
    plain = {"scale": 256, "crop": 224, "mean": (0.5,) * 3, "std": (0.25,) * 3, "white": 1}
    assert row.pixels == pixels
    assert row.to_fields() == {**plain, **fields}
    assert Preprocessing.from_fields(row.to_fields(), "here") == row


@pytest.mark.parametrize(
    ("given", "pipeline", "pixels"),
    [
        ({}, "torch7", "torch7"),
        ({}, "pil", "pil"),
        ({}, "opencv", "opencv"),
        ({"pipeline": "pil", "interpolation": "bicubic"}, "pil", "pil bicubic"),
        ({"pipeline": "pil", "interpolation": "bicubic"}, "opencv", "opencv bicubic"),
        ({"pipeline": "pil"}, "opencv", "opencv"),
        ({"pipeline": "pil"}, "torch7", "torch7"),
    ],
    ids=str,
)
def test_other_pipeline_keeps_the_interpolation_where_both_have_the_choice(
    given: dict[str, str], pipeline: str, pixels: str
) -> None:
    row = Preprocessing(**FIELDS, **given)
    assert row.with_pipeline(Pipeline(pipeline)).pixels == pixels


def test_arithmetic_is_told_where_it_is_not_the_originals() -> None:
    usual = Preprocessing(**FIELDS)
    pil = Preprocessing(**FIELDS, pipeline=Pipeline.PIL)
    assert usual.describe().startswith("scale 256, crop 224, mean")
    assert pil.describe().startswith("pil bilinear, scale 256, crop 224, mean")
    assert pil.changes(usual) == (
        "pipeline pil in place of torch7, interpolation bilinear in place of bicubic"
    )
