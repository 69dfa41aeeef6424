import pytest
import torch
from torch import nn

from convert import load
from resnext.inference import fusion
from resnext.inference.arithmetic import Precision, arithmetic, block_seconds, precision_note
from resnext.inference.folding import folded
from resnext.inference.fusion import FusedBlock, fused
from resnext.inference.onednn import PackedConvolution
from resnext.inference.predictor import Predictor
from tests.support.golden import ANSWERED, Golden

LAST = torch.channels_last
TYPES = {
    "cifar_c": 0,  # batch norms that are left: none behind a convolution
    "imagenet_bn_after_add50": 16,
    "preact_cifar20": 10,
}


@pytest.mark.parametrize("name", ANSWERED)
def test_folded_network_answers_as_torch7_did(golden, name: str) -> None:
    model: Golden = golden(name)
    network = load(model.path).build()
    with torch.no_grad():
        found = folded(network)(torch.from_numpy(model.input)).numpy()
    assert abs(found - model.output).max() < 1e-4 * max(1, abs(model.output).max())


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize("ready", [lambda network: network, folded, lambda n: fused(folded(n))])
def test_features_are_what_torch7s_classifier_had_as_input(golden, name: str, ready) -> None:
    model: Golden = golden(name)
    checkpoint = load(model.path)
    network = ready(checkpoint.build())
    with torch.inference_mode():
        pictures = torch.from_numpy(model.input)
        found = network.forward_head(network.forward_features(pictures), pre_logits=True).numpy()
    weight, bias = (checkpoint.tensors[f"fc.{each}"] for each in ("weight", "bias"))
    answers = found.astype(float) @ weight.T.astype(float) + bias
    assert abs(answers - model.output).max() < 1e-4 * max(1, abs(model.output).max())


@pytest.mark.parametrize(("name", "left"), TYPES.items())
def test_batch_norms_behind_convolutions_are_gone(golden, name: str, left: int) -> None:
    network = load(golden(name).path).build()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copy = folded(network)
    assert sum(isinstance(each, nn.BatchNorm2d) for each in copy.modules()) == left
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("precision", "worst"), [(Precision.FP32, 1e-5), (Precision.BF16, 0.1), (Precision.FP16, 0.02)]
)
def test_precision_bounds_the_difference_from_torch7(golden, precision, worst: float) -> None:
    model = golden("cifar_c")
    predictor = Predictor(load(model.path).build(), device=torch.device("cpu"), precision=precision)
    found = predictor.logits(torch.from_numpy(model.input))
    assert abs(found - model.output).max() < worst * abs(model.output).max()


def test_arithmetic_leaves_the_process_as_it_was() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with arithmetic(Precision.TF32):
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    with arithmetic(Precision.FP32):
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize(("dtype", "worst"), [(torch.float32, 1e-6), (torch.bfloat16, 0.05)])
def test_fused_network_answers_as_the_folded_one(golden, name: str, dtype, worst: float) -> None:
    model: Golden = golden(name)
    network = folded(load(model.path).build()).to(dtype).to(memory_format=torch.channels_last)
    pictures = torch.from_numpy(model.input).to(dtype)
    with torch.inference_mode():
        expected = network(pictures).float()
        quick = fused(network)
        for few in (len(pictures), 1):  # weights are packed for the first number, and fit others
            found = quick(pictures[:few]).float()
            assert (found - expected[:few]).abs().max() <= worst * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "blocks"), [("cifar_c", 3), ("imagenet_c50", 16), ("preact_cifar20", 0)]
)
def test_blocks_of_the_usual_order_are_fused(golden, name: str, blocks: int) -> None:
    network = fused(folded(load(golden(name).path).build()))
    assert sum(isinstance(each, FusedBlock) for each in network.modules()) == blocks
    assert [each for each in network.modules() if isinstance(each, nn.Conv2d)] == [] or not blocks


def test_types_that_the_processor_has_no_operator_for_stay_as_they_are(
    golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bfloat16 is on a processor without AVX-512."""

    def refuse(self: PackedConvolution, _: torch.Tensor) -> torch.Tensor:
        if self.weight.dtype is torch.bfloat16:
            raise RuntimeError("mkldnn_reorder_conv2d_weight: bf16 path needs the cpu support")
        return self.weight

    monkeypatch.setattr(PackedConvolution, "_weight", refuse)
    fusion._chosen.cache_clear()
    try:
        for dtype, blocks in ((torch.bfloat16, 0), (torch.float32, 3)):
            network = fused(folded(load(golden("cifar_c").path).build()).to(dtype))
            assert sum(isinstance(each, FusedBlock) for each in network.modules()) == blocks
    finally:
        fusion._chosen.cache_clear()


class LastWithoutShortcut(PackedConvolution):
    def added(self, x, other, through):
        return super().added(x, torch.zeros_like(other), through)


class ProjectionLeftOut(PackedConvolution):
    def added(self, x, other, _):
        return super().added(x, other, None)


class NotRectified(PackedConvolution):
    def rectified(self, x):
        return self._convolved(x, "none")


@pytest.mark.parametrize("wrong", [LastWithoutShortcut, ProjectionLeftOut, NotRectified])
def test_fused_convolution_that_answers_otherwise_is_found_out(wrong: fusion.Fuse) -> None:
    cpu = torch.device("cpu")
    assert fusion.agrees(PackedConvolution, cpu, torch.float32)
    assert not fusion.agrees(wrong, cpu, torch.float32)


def test_gpu_whose_convolutions_stay_plain_is_said() -> None:
    """These tests see no GPU, so that nothing works on the first one."""
    said = fusion.refusal(torch.device("cuda", 0), torch.float16)
    assert said is not None
    assert said.startswith("cuDNN does not add and rectify on cuda:0: ")
    assert "; Triton does not add and rectify on cuda:0: " in said
    assert fusion.refusal(torch.device("cpu"), torch.float16) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gpu_finishes_its_convolutions(golden, dtype: torch.dtype) -> None:
    device = torch.device("cuda")
    assert fusion.choose(device, dtype).refused == ()
    model: Golden = golden("cifar_c")
    network = folded(load(model.path).build()).to(device, dtype, memory_format=LAST)
    pictures = torch.from_numpy(model.input).to(device, dtype).contiguous(memory_format=LAST)
    repeats = dtype is torch.float32
    assert fusion.repeats(device, dtype) == repeats
    with torch.inference_mode(), arithmetic(Precision.FP32, deterministic=repeats):
        expected = network(pictures)
        quick = fused(network)
        found = quick(pictures)
    assert sum(isinstance(each, FusedBlock) for each in quick.modules()) == 3
    if dtype is torch.float32:
        assert torch.equal(found, expected)
    assert (found - expected).abs().max() <= 0.05 * expected.abs().max()


@pytest.mark.parametrize(
    ("precision", "seconds", "times"),
    [
        (Precision.BF16, 0.02, "2.0"),
        (Precision.FP16, 0.10, "10.0"),
        (Precision.BF16, 0.011, None),
        (Precision.BF16, 0.004, None),
        (Precision.FP32, 0.5, None),
    ],
)
def test_precision_that_takes_longer_is_said(
    precision: Precision, seconds: float, times: str | None
) -> None:
    def measure(dtype: torch.dtype) -> float:
        return 0.01 if dtype is torch.float32 else seconds

    note = precision_note(precision, torch.device("cpu"), measure=measure)
    said = f"--precision {precision}: this processor takes {times} times as long as in fp32"
    assert note == (said if times else None)
    assert precision_note(precision, torch.device("cuda"), measure=measure) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_block_is_timed_in_every_type(dtype: torch.dtype) -> None:
    assert block_seconds(dtype) > 0
