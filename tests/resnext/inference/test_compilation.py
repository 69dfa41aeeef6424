from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convert
from resnext.errors import DeviceError
from resnext.inference import compilation
from resnext.inference.arithmetic import Precision
from resnext.inference.compilation import CompiledNetwork, SameSize
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from resnext.spec import Spec
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"


class Sums(nn.Module):
    """Answers with the sum of each picture, and keeps the sizes of the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return x.sum((2, 3))


def test_smaller_batches_are_filled_up() -> None:
    sums = Sums()
    network = SameSize(sums)
    pictures = torch.arange(5 * 3 * 2 * 2.0).reshape(5, 3, 2, 2)
    found = [network(pictures[:count]) for count in (3, 1, 3, 5, 4)]
    assert sums.sizes == [3, 3, 3, 5, 5]
    for count, answers in zip((3, 1, 3, 5, 4), found, strict=True):
        assert torch.equal(answers, pictures[:count].sum((2, 3)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method.:DeprecationWarning")
def test_every_network_is_compiled_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are code of one class, of which torch.compile by itself makes no more than eight."""
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    for blocks in range(1, 11):
        spec = Spec(blocks=(blocks, 1, 1, 1), cardinality=2, base_width=4, planes=8, classes=3)
        network = CompiledNetwork(ResNeXt(spec).eval())
        with torch.inference_mode():
            assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert len(compiled) == 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method.:DeprecationWarning")
@pytest.mark.parametrize(("precision", "worst"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_compiled_network_answers_as_the_plain_one(precision: str, worst: float) -> None:
    """Once compiled: for batches of 16, of fewer, and of ten crops."""
    torch._dynamo.reset()
    cpu = torch.device("cpu")
    checkpoint = convert.load(DIGITS)
    network = checkpoint.build()
    pictures = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 3, 32, 32))).float()
    plain = Predictor(network, device=cpu, precision=Precision.FP32)
    quick = Predictor(network, device=cpu, precision=Precision(precision), compiled=True)
    counters = torch._dynamo.utils.counters["stats"]
    before = counters["unique_graphs"]
    quick.warm_up(16, side=32)
    for batch in (pictures[:16], pictures[16:], pictures[:10].unflatten(0, (1, 10))):
        expected = plain.logits(batch)
        assert np.abs(quick.logits(batch) - expected).max() < worst * np.abs(expected).max()
    assert counters["unique_graphs"] == before + 1


def test_failure_of_the_compiler_is_explained() -> None:
    from torch._inductor.exc import InvalidCxxCompiler

    refused = pytest.raises(DeviceError, match=r"--compile: .*No working C\+\+ compiler found")
    with refused, compilation.compilation_explained():
        raise InvalidCxxCompiler


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match="something else"), compilation.compilation_explained():
        raise RuntimeError("something else")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method.:DeprecationWarning")
def test_compiled_network_keeps_what_is_no_number() -> None:
    torch._dynamo.reset()
    network = convert.load(DIGITS).build()
    torch.nn.init.constant_(network.get_submodule("layer2.0.bn3").weight, 3e38)
    predictor = Predictor(
        network, device=torch.device("cpu"), precision=Precision.FP32, compiled=True
    )
    pictures = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3, 32, 32))).float()
    assert not np.isfinite(predictor.logits(pictures)).all(axis=1).any()
