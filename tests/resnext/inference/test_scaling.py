import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resnext.errors import DeviceError
from resnext.inference import scaling
from resnext.inference.arithmetic import Precision
from resnext.inference.predictor import slower_ways
from resnext.inference.scaling import scale_plainly, scale_sources
from resnext.pixels.decoding import decode
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import prepare_pixels, raw_crop
from resnext.preprocessing import IMAGENET, Pipeline, Preprocessing
from tests.support.golden import DATA
from validate.networks import wants_to_scale
from validate.options import MeasurementConfig

IMAGES = DATA / "images"
EXPECTED = json.loads((IMAGES / "expected.json").read_text())
SMALL = Preprocessing(scale=9, crop=7, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def scaled(pictures: list[np.ndarray], preprocessing: Preprocessing) -> torch.Tensor:
    sources = RawCrops.of([raw_crop(each, preprocessing) for each in pictures])
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
    source = raw_crop(picture, IMAGENET)
    assert source.pixels.nbytes < 0.6 * picture.nbytes


def rounded_once(
    sources: RawCrops, unit: float, shift: torch.Tensor, divisor: torch.Tensor
) -> torch.Tensor:
    """Scale as a compiler does that joins the last sum and division with what is before them."""
    exact = scale_plainly(sources, unit, torch.zeros(3), torch.ones(3)).double()
    joined = (exact + shift.double()[:, None, None]) / divisor.double()[:, None, None]
    return joined.float()


def by_reciprocal(
    sources: RawCrops, unit: float, shift: torch.Tensor, divisor: torch.Tensor
) -> torch.Tensor:
    """Scale as a compiler does that multiplies where it should divide."""
    planes = scale_plainly(sources, unit, shift, torch.ones(3))
    return planes * (1 / divisor[:, None, None])


def fails(*_: object) -> torch.Tensor:
    raise RuntimeError("no compiler\nand more lines")


@pytest.mark.parametrize("scale", [rounded_once, by_reciprocal])
def test_engine_whose_bits_differ_is_found_out(scale: scaling.Scale) -> None:
    assert scaling.agrees(scale_plainly, torch.device("cpu"))
    assert not scaling.agrees(scale, torch.device("cpu"))


@pytest.mark.parametrize(
    ("scale", "reason"),
    [(fails, "no compiler"), (by_reciprocal, "its bits are not the CPU's")],
    ids=["fails", "differs"],
)
def test_engine_that_cannot_be_trusted_is_passed_over_and_why_is_said(
    monkeypatch: pytest.MonkeyPatch, scale: scaling.Scale, reason: str
) -> None:
    first = scaling.Engine(name="First", place=(__name__, scale.__name__), devices=("cpu",))
    monkeypatch.setattr(scaling, "ENGINES", (first, scaling.ENGINES[-1]))
    found = scaling._chosen.__wrapped__(torch.device("cpu"))
    assert found.chosen.name == "PyTorch"
    assert found.refused == (f"First does not scale on cpu: {reason}",)


def test_device_without_an_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = scaling.Choice()
    monkeypatch.setattr(scaling, "choose", lambda _: choice)
    with pytest.raises(DeviceError, match="cpu: an engine with the CPU's bits expected"):
        scaled([np.zeros((9, 9, 3), np.uint8)], SMALL)


def test_cpu_scales_in_the_processes_that_read() -> None:
    assert not scaling.takes_over(torch.device("cpu"))


def test_gpu_on_which_nothing_scales_is_said() -> None:
    """These tests see no GPU, so that no engine works on the first one."""
    device = torch.device("cuda", 0)
    usual = MeasurementConfig(data="val", checkpoints=())
    network = SimpleNamespace(preprocessings=(IMAGENET,))

    def said_of(config: MeasurementConfig, network: SimpleNamespace = network) -> list[str]:
        scales, compiled = wants_to_scale([network], config), config.compiled
        return [*slower_ways(device, Precision.FP32, compiled=compiled, scales=scales)]

    said = [line.partition(": ")[0] for line in said_of(usual)]
    plain = "Triton does not add and rectify on cuda:0"
    assert said == [
        plain,
        "Triton does not scale on cuda:0",
        "PyTorch does not scale on cuda:0",
    ]
    assert not scaling.takes_over(device)
    pil = SimpleNamespace(preprocessings=(IMAGENET.with_pipeline(Pipeline.PIL),))
    ten = replace(usual, crops=10)
    for other, config in ((network, ten), (pil, usual)):
        (line,) = said_of(config, other)
        assert line.startswith(plain)
    assert said_of(replace(ten, compiled=True)) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("engine", [each for each in scaling.ENGINES if "cuda" in each.devices])
def test_gpu_has_the_bits_of_the_cpu(engine: scaling.Engine) -> None:
    device = torch.device("cuda")
    assert scaling.agrees(engine.load(), device)
    names = [name for name in EXPECTED if (IMAGES / name).is_file()]
    pictures = [decode((IMAGES / name).read_bytes()) for name in names]
    sources = RawCrops.of([raw_crop(each, IMAGENET) for each in pictures])
    found = scale_sources(sources.pin_memory().to(device)).cpu().contiguous().numpy()
    digests = [hashlib.sha256(crop.tobytes()).hexdigest() for crop in found]
    assert digests == [EXPECTED[name]["sha256_float32_chw"] for name in names]
    assert scaling.choose(device) == scaling.Choice(chosen=scaling.ENGINES[0])
