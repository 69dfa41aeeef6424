"""cuDNN's fused calls, with stand-ins for cuDNN on the CPU: what is called, and what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from convert import load
from resnext.distributed.job import Job
from resnext.inference import fusion
from resnext.inference.arithmetic import Precision
from resnext.inference.cudnn_convolution import LOSES, READS
from resnext.inference.folding import folded
from resnext.inference.fusion import FusedBlock, fused
from resnext.inference.predictor import Predictor, slower_ways
from resnext.model import ResNeXt
from resnext.pixels.pipelines import Pipeline
from resnext.terminal.watcher import Watcher
from tests.support.golden import ROOT, Golden
from validate import measurement
from validate.options import MeasurementConfig
from validate.request import checked_request
from validate.runs import settings

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"
HALVES = [torch.bfloat16, torch.float16]
SIDE = 5  # of the pictures of the trial before the first batch, in pixels


def without_nan(y: Tensor) -> Tensor:
    return torch.where(y > 0, y, 0.0)


def without_infinity(y: Tensor) -> Tensor:
    return F.relu(y).clamp(max=torch.finfo(y.dtype).max)


@dataclass
class StandIn:
    """What is called in place of cuDNN.

    Attributes:
        relu: at its end.
        later: at its end for pictures of other sizes than those of the trial; None for the same.
        reads: memory of which 0 times is added, as large as the answer, which is written there.
        fails: on pictures of other sizes than those of the trial.
        called: the names of the calls, with the flag of `torch.backends.cudnn` for algorithms.
    """

    relu: Callable[[Tensor], Tensor] = F.relu
    later: Callable[[Tensor], Tensor] | None = None
    reads: bool = False
    fails: bool = False
    called: list[tuple[str, bool]] = field(default_factory=list)
    memory: dict[torch.Size, Tensor] = field(default_factory=dict)

    def rectified(self, x, weight, bias, stride, padding, dilation, groups) -> Tensor:
        self.called.append(("relu", torch.backends.cudnn.benchmark))
        y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        if self.reads:
            memory = self.memory.setdefault(y.shape, torch.zeros_like(y))
            return memory.copy_(self.end(x, y + 0 * memory))
        return self.end(x, y)

    def added(self, x, weight, z, alpha, bias, stride, padding, dilation, groups) -> Tensor:
        self.called.append(("add_relu", torch.backends.cudnn.benchmark))
        y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        return self.end(x, y + alpha * z)

    def end(self, x: Tensor, y: Tensor) -> Tensor:
        if x.shape[2] == SIDE:
            return self.relu(y)
        if self.fails:
            raise RuntimeError("FIND was unable to find an engine\nto execute this computation")
        return (self.later or self.relu)(y)


@pytest.fixture
def cudnn(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Let the CPU compute half precision as a GPU does, by what stands in for cuDNN."""
    found = StandIn()
    monkeypatch.setattr(torch, "cudnn_convolution_relu", lambda *words: found.rectified(*words))
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", lambda *words: found.added(*words))
    (engine,) = (each for each in fusion.ENGINES if each.name == "cuDNN")
    assert engine.types == tuple(HALVES)
    monkeypatch.setattr(fusion, "ENGINES", (replace(engine, devices=("cpu",)),))
    fusion._chosen.cache_clear()
    yield found
    fusion._chosen.cache_clear()


def overflowing(*names: str) -> ResNeXt:
    """Return the demo's network with batch norms so large that sums behind them overflow."""
    checkpoint = load(DIGITS)
    tensors = {name: np.array(values) for name, values in checkpoint.tensors.items()}
    for name in names:
        tensors[name] *= np.float32(3e38) / np.abs(tensors[name]).max()
    return replace(checkpoint, tensors=tensors).build()


def noise(count: int) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "blocks", "dtype"),
    [
        ("cifar_c", 3, torch.bfloat16),
        ("cifar_c", 3, torch.float16),
        ("imagenet_c50", 16, torch.bfloat16),
    ],
)
def test_network_of_fused_calls_answers_as_the_folded_one(
    golden, cudnn: StandIn, name: str, blocks: int, dtype: torch.dtype
) -> None:
    model: Golden = golden(name)
    network = folded(load(model.path).build()).to(dtype).to(memory_format=torch.channels_last)
    pictures = torch.from_numpy(model.input).to(dtype)
    with torch.inference_mode():
        expected = network(pictures).float()
        quick = fused(network)
        found = quick(pictures).float()
        cudnn.called.clear()
        assert torch.equal(quick(pictures).float(), found)
    assert (found - expected).abs().max() <= 0.05 * expected.abs().max()
    assert sum(isinstance(each, FusedBlock) for each in quick.modules()) == blocks
    # Nothing is tried again: a call for the stem, and three for each block.
    assert [name for name, _ in cudnn.called] == ["relu", *["relu", "relu", "add_relu"] * blocks]
    assert fusion.unfused(quick) == ()


def test_algorithms_are_tried_in_half_precision_only(cudnn: StandIn) -> None:
    network = load(DIGITS).build()
    half = Predictor(network, device=CPU, precision=Precision.BF16)
    half.logits(noise(2))
    assert {tried for _, tried in cudnn.called[-7:]} == {True}
    assert not half.repeats
    cudnn.called.clear()
    full = Predictor(network, device=CPU, precision=Precision.FP32)
    full.logits(noise(2))
    assert full.repeats
    assert cudnn.called == []


@pytest.mark.parametrize("relu", [without_nan, without_infinity])
@pytest.mark.parametrize("dtype", HALVES)
def test_relu_that_makes_numbers_is_not_used(
    cudnn: StandIn, relu: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    cudnn.relu = relu
    choice = fusion.choose(CPU, dtype)
    assert choice.chosen is None
    assert choice.refused == (f"cuDNN does not add and rectify on cpu: {LOSES}",)
    assert fusion.repeats(CPU, dtype)


def test_call_that_reads_what_it_should_not_is_not_used(cudnn: StandIn) -> None:
    cudnn.reads = True
    choice = fusion.choose(CPU, torch.bfloat16)
    assert choice.refused == (f"cuDNN does not add and rectify on cpu: {READS}",)


def test_call_that_is_wrong_is_not_used(cudnn: StandIn) -> None:
    cudnn.relu = lambda y: F.relu(y) * 1.1
    choice = fusion.choose(CPU, torch.bfloat16)
    assert choice.refused == (
        "cuDNN does not add and rectify on cpu: its answers are not the plain ones",
    )


@pytest.mark.parametrize("later", [None, without_nan, without_infinity])
@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
@pytest.mark.parametrize(
    "names",
    [("bn1.weight",), ("layer1.0.bn1.weight",), ("layer2.0.bn3.weight",), ("layer3.0.bn2.weight",)],
    ids=["stem", "first", "last", "inner"],
)
def test_overflow_anywhere_reaches_the_logits(
    cudnn: StandIn,
    names: tuple[str, ...],
    precision: Precision,
    later: Callable[[Tensor], Tensor] | None,
) -> None:
    """Also where an algorithm for this size loses what the trial's algorithms keep."""
    cudnn.later = later
    predictor = Predictor(overflowing(*names), device=CPU, precision=precision)
    assert not predictor.repeats
    assert not np.isfinite(predictor.logits(noise(2))).all(axis=1).any()
    assert (LOSES in predictor.refusals) == (later is not None)


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
def test_size_that_cudnn_cannot_do_is_computed_plainly(
    cudnn: StandIn, monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    network = load(DIGITS).build()
    with monkeypatch.context() as patch:
        patch.setattr(fusion, "ENGINES", ())
        expected = Predictor(network, device=CPU, precision=precision).logits(noise(3))
    fusion._chosen.cache_clear()
    cudnn.fails = True
    predictor = Predictor(network, device=CPU, precision=precision)
    assert predictor.refusals == ()
    assert (predictor.logits(noise(3)) == expected).all()
    assert predictor.refusals == ("FIND was unable to find an engine",)


@pytest.mark.parametrize(
    ("precision", "compiled", "repeats"),
    [("bf16", False, False), ("fp16", False, False), ("fp32", False, True), ("bf16", True, True)],
)
def test_report_says_that_bits_may_differ(
    cudnn: StandIn, precision: str, compiled: bool, repeats: bool
) -> None:
    config = MeasurementConfig(
        data="val",
        checkpoints=(),
        precision=precision,
        compiled=compiled,
    )
    said = settings((), config, CPU, Job())
    assert (said["cudnn_benchmark"], said["cudnn_deterministic"]) == (not repeats, repeats)
    ways = slower_ways(CPU, Precision(precision), compiled=compiled, scales=False)
    notes = [each for each in ways if "cuDNN" in each]
    note = (
        f"--precision {precision}: cuDNN's fastest algorithms compute it, perhaps others in the "
        "next run, which changes last digits; fp32 repeats its bits"
    )
    assert notes == ([] if repeats else [note])
    assert cudnn.called or repeats


def test_report_notes_sizes_that_are_computed_plainly(cudnn: StandIn) -> None:
    cudnn.later = without_nan
    config = MeasurementConfig(
        data=str(DIGITS.parent / "val"),
        checkpoints=(str(DIGITS),),
        pipelines=(Pipeline.TORCH7,),
        precision="bf16",
        limit=4,
        device="cpu",
        workers=0,
    )
    watcher = Watcher()
    report = measurement.measure(checked_request(config, watcher), Job(), watcher)
    assert report is not None
    assert report.notes[-1] == LOSES
    assert report.settings["cudnn_benchmark"] is True


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
@pytest.mark.parametrize("name", [None, "bn1.weight", "layer2.0.bn3.weight", "layer3.0.bn2.weight"])
def test_gpu_fuses_every_size_and_loses_no_overflow(precision: Precision, name: str | None) -> None:
    names = [] if name is None else [name]
    predictor = Predictor(overflowing(*names), device=torch.device("cuda"), precision=precision)
    assert not predictor.repeats
    finite = np.isfinite(predictor.logits(noise(16))).all(axis=1)
    assert finite.all() if name is None else not finite.any()
    if name is None:
        assert predictor.refusals == ()
