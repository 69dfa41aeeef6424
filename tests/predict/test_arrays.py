"""Features in .npy and .safetensors files."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from predict import arrays
from predict.errors import DestinationError
from predict.prediction import Prediction

NAMES = tuple(f"{number}.jpg" for number in range(1000))


def features(number: int) -> Prediction:
    return Prediction(
        image=NAMES[number], features=np.array([number, number / 2, -number], np.float32)
    )


@pytest.mark.parametrize("done", [1000, 9, 1])
def test_file_has_the_rows_that_are_done(tmp_path: Path, done: int) -> None:
    wanted = np.array([[n, n / 2, -n] for n in range(done)], np.float32)
    with (
        (tmp_path / "f.npy").open("wb") as file,
        arrays.npy_rows(file, NAMES, width=3, layer="fc") as add,
    ):
        for number in range(done):
            add(features(number))
    found = np.load(tmp_path / "f.npy", allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted)
    assert np.load(tmp_path / "f.npy", mmap_mode="r").shape == (done, 3)
    with (
        (tmp_path / "f.safetensors").open("wb") as file,
        arrays.tensor_rows(file, NAMES, width=3, layer="layer2") as add,
    ):
        for number in range(done):
            add(features(number))
    with safe_open(tmp_path / "f.safetensors", framework="np") as tensors:
        assert list(tensors.keys()) == ["features"]
        np.testing.assert_array_equal(tensors.get_tensor("features"), wanted)
        assert json.loads(tensors.metadata()["images"]) == list(NAMES[:done])
        assert tensors.metadata()["layer"] == "layer2"


def test_picture_that_cannot_be_read_is_a_row_of_nan(tmp_path: Path) -> None:
    with (
        (tmp_path / "f.npy").open("wb") as file,
        arrays.npy_rows(file, NAMES[:2], width=3, layer="fc") as add,
    ):
        add(Prediction(image=NAMES[0], error="gone"))
        add(features(1))
    found = np.load(tmp_path / "f.npy")
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [1, 0.5, -1]


def test_names_beyond_the_header_of_safetensors_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MOST_HEADER", 1000)
    with (
        (tmp_path / "f").open("wb") as file,
        pytest.raises(DestinationError, match=r"names of 1,000 pictures .* write \.npy or"),
        arrays.tensor_rows(file, NAMES, width=3, layer="fc"),
    ):
        pass
