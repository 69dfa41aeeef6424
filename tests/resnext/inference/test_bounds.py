"""Networks that compute no numbers are found out, however their ReLUs are computed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from convert import load
from resnext.fast_path import Choice
from resnext.inference import bounds, fusion
from resnext.inference.arithmetic import Precision
from resnext.inference.bounds import Growth, KnownBound
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from tests.support.golden import ROOT

CPU = torch.device("cpu")
DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"


def overflowing(*names: str) -> ResNeXt:
    """Return the demo's network with batch norms so large that sums behind them overflow."""
    checkpoint = load(DIGITS)
    tensors = {name: np.array(values) for name, values in checkpoint.tensors.items()}
    for name in names:
        tensors[name] *= np.float32(3e38) / np.abs(tensors[name]).max()
    return replace(checkpoint, tensors=tensors).build()


def without_fusion(*_: object) -> Choice[fusion.Fuse]:
    return Choice()


@pytest.mark.parametrize("kind", ["fused", "plain"])
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16, Precision.FP16])
@pytest.mark.parametrize(
    "names",
    [("bn1.weight",), ("layer1.0.bn1.weight",), ("layer2.0.bn3.weight",), ("layer3.0.bn2.weight",)],
    ids=["stem", "first", "last", "inner"],
)
def test_overflow_anywhere_reaches_the_logits(
    monkeypatch: pytest.MonkeyPatch, kind: str, precision: Precision, names: tuple[str, ...]
) -> None:
    if kind == "plain":
        monkeypatch.setattr(fusion, "choose", without_fusion)
    predictor = Predictor(overflowing(*names), device=CPU, precision=precision)
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not np.isfinite(predictor.logits(pictures)).all(axis=1).any()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_input_that_is_no_number_reaches_the_logits(value: float) -> None:
    predictor = Predictor(load(DIGITS).build(), device=CPU, precision=Precision.FP32)
    pictures = torch.zeros(2, 3, 32, 32)
    pictures[1, 2, 5, 5] = value
    assert np.isfinite(predictor.logits(pictures)).all(axis=1).tolist() == [True, False]


def test_large_but_finite_values_keep_their_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    network = overflowing()
    with torch.no_grad():
        network.get_submodule("bn1").weight.mul_(1e30)  # of what reaches the blocks
        network.fc.weight.mul_(1e-30)
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = Predictor(network, device=CPU, precision=Precision.FP32).logits(pictures)
    monkeypatch.setattr(fusion, "choose", without_fusion)
    expected = Predictor(network, device=CPU, precision=Precision.FP32).logits(pictures)
    assert np.isfinite(expected).all()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_values_of_a_usual_network_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    real = bounds.largest
    monkeypatch.setattr(bounds, "largest", lambda x: seen.append(real(x)) or seen[-1])
    predictor = Predictor(load(DIGITS).build(), device=CPU, precision=Precision.FP32)
    predictor.logits(torch.full((2, 3, 32, 32), -2.0))
    assert seen == [2.0]


def test_growth_is_that_of_the_largest_output() -> None:
    convolution = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([2.0, -3.0]).view(2, 1, 1, 1))
        convolution.bias.copy_(torch.tensor([0.5, -7.0]))
    assert Growth(convolution).of(10) == pytest.approx(37 * bounds.ROUNDING)


def test_bound_falls_where_values_are_looked_at() -> None:
    convolution = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(convolution.weight, 1e20)
    known = KnownBound(torch.float32)
    small, large = torch.full((1, 1, 2, 2), 1e-10), torch.full((1, 1, 2, 2), 1e20)
    growth = [Growth(convolution)]
    assert known.carry(small, growth, None)  # nothing was known: looked at
    assert known.value == pytest.approx(1e10 * bounds.ROUNDING)
    assert known.carry(large, growth, [])  # the bound is enough, and the values are not read
    assert not known.carry(large, growth, [])
    assert known.value == float("inf")
    assert known.carry(small, growth, [])
