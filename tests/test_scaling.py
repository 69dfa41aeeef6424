import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resnext.data import device
from resnext.data.device import Sources, scale_sources
from resnext.data.images import decode
from resnext.data.transforms import crop_source, prepare_pixels
from resnext.preprocessing import IMAGENET, Preprocessing

IMAGES = Path(__file__).parent / "data" / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text())
# PyTorch's compiler imports a module of its own that warns.
COMPILES = pytest.mark.filterwarnings("ignore:.torch.jit.script_method.:DeprecationWarning")
SMALL = Preprocessing(scale=9, crop=7, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def scaled(pictures: list[np.ndarray], preprocessing: Preprocessing) -> torch.Tensor:
    sources = Sources.of([crop_source(each, preprocessing) for each in pictures])
    return scale_sources(sources)


def test_golden_pictures_in_one_batch_are_torch7s_in_every_bit() -> None:
    names = [name for name in EXPECTED if (IMAGES / name).is_file()]
    crops = scaled([decode((IMAGES / name).read_bytes()) for name in names], IMAGENET).numpy()
    found = {
        name: hashlib.sha256(crop.tobytes()).hexdigest()
        for name, crop in zip(names, crops, strict=True)
    }
    wanted = {name: EXPECTED[name]["sha256_float32_chw"] for name in names}
    assert len(names) == 16
    assert found == wanted


@given(
    sides=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
def test_pictures_of_any_size_equal_those_that_are_prepared_one_by_one(
    sides: list[tuple[int, int]], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    pictures = [chance.integers(0, 256, (*side, 3), dtype=np.uint8) for side in sides]
    found = scaled(pictures, SMALL).numpy()
    expected = np.stack([prepare_pixels(each, SMALL) for each in pictures])
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_pictures_that_are_not_scaled_are_cropped() -> None:
    plain = Preprocessing(scale=None, crop=3, mean=(125.3, 123, 113.9), std=(63, 62, 66), white=255)
    pictures = [
        np.arange(side * side * 3, dtype=np.uint8).reshape(side, side, 3) for side in (3, 6)
    ]
    expected = np.stack([prepare_pixels(each, plain) for each in pictures])
    assert np.array_equal(scaled(pictures, plain).numpy(), expected)


def test_only_what_is_read_is_handed_over() -> None:
    picture = np.zeros((375, 500, 3), np.uint8)
    source = crop_source(picture, IMAGENET)
    assert source.pixels.nbytes < 0.6 * picture.nbytes


@COMPILES
@pytest.mark.slow
def test_compiled_it_differs_by_less_than_a_millionth(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [decode((IMAGES / name).read_bytes()) for name in list(EXPECTED)[:6]]
    expected = scaled(pictures, IMAGENET)
    monkeypatch.setattr(device, "_scale", torch.compile(device._scale, dynamic=True))
    assert (scaled(pictures, IMAGENET) - expected).abs().max() < 1e-6


@COMPILES
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_differs_by_less_than_a_millionth() -> None:
    pictures = [decode((IMAGES / name).read_bytes()) for name in EXPECTED]
    sources = Sources.of([crop_source(each, IMAGENET) for each in pictures])
    found = scale_sources(sources.pin_memory().to(torch.device("cuda")))
    assert (found.cpu() - scaled(pictures, IMAGENET)).abs().max() < 1e-6
