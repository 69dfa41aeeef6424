"""Steps of learning against Torch7's own, and what must not change them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode

import convert
from resnext.model import ResNeXt
from tests.support.golden import DATA, unpack
from train.input.class_weights import total_weight
from train.recipe.recipe import CIFAR_2017, Recipe, RecipeError
from train.step.learner import Learner, Machine
from train.step.loss import DivergedError, Mixup, Objective
from train.step.micro_batch import MicroBatch

SGD = DATA / "sgd"
CPU = Machine(device=torch.device("cpu"))
# lua/sgd.lua: rate 0.1, momentum 0.9, Nesterov, weight decay 5e-4.
GOLDEN = replace(CIFAR_2017, batch_size=8)
RATE = 0.1


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], ResNeXt]:
    checkpoint = convert.load(unpack(SGD / "before.t7.xz", tmp_path_factory.mktemp("sgd")))
    return checkpoint.build


@pytest.fixture(scope="module")
def steps() -> dict[str, np.ndarray]:
    with np.load(SGD / "steps.npz") as arrays:
        return dict(arrays)


def part(steps: dict[str, np.ndarray], number: int, where: slice = slice(None)) -> MicroBatch:
    return MicroBatch(
        inputs=torch.from_numpy(steps["input"][number][where].copy()),
        labels=torch.from_numpy(steps["target_one_based"][number][where] - 1),
    )


def learn(
    network: ResNeXt,
    steps: dict[str, np.ndarray],
    recipe: Recipe = GOLDEN,
    machine: Machine = CPU,
    count: int = 5,
) -> Learner:
    """Take some of the golden steps, one after the other."""
    learner = Learner(network, recipe, machine, Objective())
    for number in range(count):
        learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
    return learner


def test_five_steps_reproduce_torch7(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray], tmp_path: Path
) -> None:
    learner = Learner(before(), GOLDEN, CPU, Objective())
    for number in range(5):
        seen = learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        assert seen.loss / 8 == pytest.approx(steps["losses"][number], rel=1e-5)
        assert seen.norm == pytest.approx(steps["grad_norms"][number], rel=1e-3)
    after = convert.load(unpack(SGD / "after.t7.xz", tmp_path)).tensors
    found = learner.network.state_dict()
    assert found.keys() == after.keys()
    for name, expected in after.items():
        if not name.endswith("num_batches_tracked"):  # Torch7 had no such counter
            scale = np.abs(expected).max()
            assert np.abs(found[name].numpy() - expected).max() <= 1e-3 * scale, name


def test_channels_last_stays_near_torch7(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = Learner(before(), replace(GOLDEN, channels_last=True), CPU, Objective())
    for number in range(5):
        seen = learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        assert seen.loss / 8 == pytest.approx(steps["losses"][number], rel=1e-4)


@pytest.mark.parametrize("ahead", [0, 1])
def test_fused_steps_reproduce_torch7(
    before: Callable[[], ResNeXt],
    steps: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
) -> None:
    # As on a GPU, but with the kernel that PyTorch has for a CPU.
    monkeypatch.setattr("train.step.learner.takes_fused", lambda *_: True)
    learner = Learner(before(), GOLDEN, replace(CPU, ahead=ahead), Objective())
    assert [group["fused"] for group in learner.optimizer.param_groups] == [True]
    for number in range(5):
        seen = learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        assert seen.loss / 8 == pytest.approx(steps["losses"][number], rel=1e-5)
        assert seen.norm == pytest.approx(steps["grad_norms"][number], rel=1e-3)
    after = convert.load(unpack(SGD / "after.t7.xz", tmp_path)).tensors
    found = learner.network.state_dict()
    for name, expected in after.items():
        if not name.endswith("num_batches_tracked"):
            scale = np.abs(expected).max()
            assert np.abs(found[name].numpy() - expected).max() <= 1e-3 * scale, name


@pytest.mark.parametrize(
    ("change", "ahead", "is_measured"),
    [({}, 1, False), ({}, 0, True), ({"clip": 0.5}, 1, True), ({"precision": "fp16"}, 1, True)],
    ids=["ahead", "waited for", "clipped", "scaled"],
)
def test_norm_is_measured_where_the_step_needs_it_or_it_is_wanted(
    before: Callable[[], ResNeXt],
    steps: dict[str, np.ndarray],
    change: dict[str, Any],
    ahead: int,
    is_measured: bool,
) -> None:
    learner = Learner(before(), replace(GOLDEN, **change), replace(CPU, ahead=ahead), Objective())
    one, two = (
        learner.step([part(steps, n)], lr=RATE, weight=8, number=n + 1, measured=n == 1)
        for n in range(2)
    )
    assert (one.norm is not None) == is_measured
    assert two.norm is not None
    assert one.loss / 8 == pytest.approx(steps["losses"][0], rel=0.05)


class Casts(TorchDispatchMode):
    """Counts the weights, which have four axes or two, that become bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        is_cast = func is torch.ops.aten._to_copy.default
        if is_cast and kwargs["dtype"] is torch.bfloat16 and isinstance(args[0], nn.Parameter):
            self.count += 1
        return func(*args, **kwargs or {})


def test_weights_are_cast_once_a_step_and_not_for_each_part(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = Learner(before(), replace(GOLDEN, precision="bf16"), CPU, Objective())
    layers = [each for each in learner.network.modules() if hasattr(each, "weight")]
    cast = [each for each in layers if not isinstance(each, _BatchNorm)]
    for parts in ([slice(0, 8)], [slice(0, 2), slice(2, 5), slice(5, 8)]):
        with Casts() as casts:
            learner.step([part(steps, 0, w) for w in parts], lr=RATE, weight=8, number=1)
        # The classifier's bias is cast too.
        assert casts.count == len(cast) + 1


@pytest.mark.parametrize("saves_memory", [False, True])
def test_parts_in_half_precision_add_up_as_by_hand(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray], saves_memory: bool
) -> None:
    machine = replace(CPU, saves_memory=saves_memory)
    learner = Learner(before(), replace(GOLDEN, precision="bf16"), machine, Objective())
    parts = [part(steps, 0, slice(0, 3)), part(steps, 0, slice(3, 8))]
    learner.step(parts, lr=0.0, weight=8, number=1)
    network = before().train()
    for each in parts:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(each.inputs)
        loss = torch.nn.functional.cross_entropy(logits.float(), each.labels, reduction="sum")
        (loss / 8).backward()
    expected = {name: p.grad for name, p in network.named_parameters()}
    for name, parameter in learner.network.named_parameters():
        assert torch.equal(parameter.grad, expected[name]), name
    assert int(learner.network.layer1[0].bn1.num_batches_tracked) == 2


def tensors(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}


def assert_close(found: Learner, expected: Learner, tolerance: float) -> None:
    pairs = zip(tensors(found).items(), tensors(expected).values(), strict=True)
    for (name, one), other in pairs:
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance, msg=name)


def assert_same_bits(found: Learner, expected: Learner) -> None:
    assert_close(found, expected, 0.0)


def test_activations_computed_again_change_no_bit(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    saving = learn(before(), steps, machine=replace(CPU, saves_memory=True))
    assert_same_bits(saving, learn(before(), steps))
    assert int(saving.network.bn1.num_batches_tracked) == 5
    assert int(saving.network.layer2[0].bn2.num_batches_tracked) == 5


def test_two_parts_give_the_gradient_of_the_whole_where_batch_norm_is_frozen(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    # Under batch norm a part is not a part of the whole, so all but the classifier is frozen.
    recipe = replace(GOLDEN, freeze="layer3")
    whole = learn(before(), steps, recipe, count=1)
    halves = Learner(before(), recipe, CPU, Objective())
    parts = [part(steps, 0, slice(5)), part(steps, 0, slice(5, 8))]
    seen = halves.step(parts, lr=RATE, weight=8, number=1)
    assert seen.images == 8
    assert seen.loss / 8 == pytest.approx(steps["losses"][0], rel=1e-2)
    assert_close(halves, whole, 1e-6)


@pytest.mark.parametrize(
    ("freeze", "still"),
    [("stem", ("conv1", "bn1")), ("layer2", ("conv1", "bn1", "layer1", "layer2"))],
)
def test_frozen_parts_stay_as_they_are_statistics_included(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray], freeze: str, still: tuple[str, ...]
) -> None:
    start = {name: tensor.clone() for name, tensor in before().state_dict().items()}
    found = tensors(learn(before(), steps, replace(GOLDEN, freeze=freeze), count=2))
    for name, tensor in found.items():
        frozen = name.split(".")[0] in still
        assert torch.equal(tensor, start[name]) == frozen, name


def test_freezing_an_unknown_part_is_refused(before: Callable[[], ResNeXt]) -> None:
    with pytest.raises(RecipeError, match="--freeze layer4: stem, layer1, layer2, layer3 expected"):
        Learner(before(), replace(GOLDEN, freeze="layer4"), CPU, Objective())


def test_layer_decay_gives_each_block_a_part_of_the_next_ones_rate(
    before: Callable[[], ResNeXt],
) -> None:
    learner = Learner(before(), replace(GOLDEN, layer_decay=0.5), CPU, Objective())
    names = {id(p): name for name, p in learner.network.named_parameters()}
    factors = {
        names[id(p)].rsplit(".", 1)[0]: group["factor"]
        for group in learner.optimizer.param_groups
        for p in group["params"]
    }
    expected = {"fc": 1.0, "layer3.0.conv2": 0.5, "layer2.0.bn1": 0.25, "layer1.0.conv1": 0.125}
    assert {name: factors[name] for name in expected} == expected
    assert factors["conv1"] == factors["bn1"] == 0.0625


def test_every_parameter_decays(before: Callable[[], ResNeXt]) -> None:
    groups = Learner(before(), GOLDEN, CPU, Objective()).optimizer.param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [
        (len(list(before().parameters())), 5e-4)
    ]


def test_clipping_bounds_the_step(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    recipe = replace(GOLDEN, clip=0.5, momentum=0.0, weight_decay=0.0)
    network = before()
    start = [p.detach().clone() for p in network.parameters()]
    learner = Learner(network, recipe, CPU, Objective())
    seen = learner.step([part(steps, 0)], lr=RATE, weight=8, number=1)
    assert seen.norm == pytest.approx(steps["grad_norms"][0], rel=1e-3)
    moved = torch.cat([(p - q).flatten() for p, q in zip(network.parameters(), start, strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(0.5 * RATE, rel=1e-4)


def test_loss_that_is_not_finite_stops_and_leaves_the_weights(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = learn(before(), steps, count=1)
    kept = tensors(learner)
    bad = part(steps, 1)
    bad.inputs[0, 0, 0, 0] = torch.inf
    with pytest.raises(DivergedError, match=r"step 2: a finite loss expected, found loss nan"):
        learner.step([bad], lr=RATE, weight=8, number=2)
    parameters = dict(learner.network.named_parameters())
    assert all(torch.equal(kept[name], parameters[name]) for name in parameters)


def test_step_begun_ahead_is_judged_when_it_is_looked_at(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    late = replace(CPU, ahead=1)
    learner = Learner(before(), GOLDEN, late, Objective())
    begun = [
        learner.start([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        for number in range(3)
    ]
    for number, each in enumerate(begun):
        assert learner.finish(each).loss / 8 == pytest.approx(steps["losses"][number], rel=1e-5)
    expected = tensors(learn(before(), steps, count=3))
    found = tensors(learner)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    bad = part(steps, 1)
    bad.inputs[0, 0, 0, 0] = torch.inf
    failing = learner.start([bad], lr=RATE, weight=8, number=4)
    with pytest.raises(DivergedError, match=r"step 4: a finite loss expected, found loss nan"):
        learner.finish(failing)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_stays_near_torch7(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray], precision: str
) -> None:
    learner = Learner(before(), replace(GOLDEN, precision=precision), CPU, Objective())
    for number in range(2):
        seen = learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        assert seen.loss / 8 == pytest.approx(steps["losses"][number], rel=0.05)
    assert {p.dtype for p in learner.network.parameters()} == {torch.float32}


def test_half_precision_skips_a_step_and_halves_its_scale(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = Learner(before(), replace(GOLDEN, precision="fp16"), CPU, Objective())
    start = [p.detach().clone() for p in learner.network.parameters()]
    bad = part(steps, 0, slice(2))
    bad.inputs[:] = torch.inf
    learner.step([bad], lr=RATE, weight=2, number=1)
    assert learner.scaler.get_scale() == 2.0**15
    assert all(torch.equal(p, q) for p, q in zip(learner.network.parameters(), start, strict=True))
    for number in range(2, 21):
        learner.step([bad], lr=RATE, weight=2, number=number)
    with pytest.raises(DivergedError, match="step 21: a finite loss expected, found loss nan"):
        learner.step([bad], lr=RATE, weight=2, number=21)


def test_steps_that_half_precision_leaves_out_count_in_a_row_only(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = Learner(before(), replace(GOLDEN, precision="fp16"), CPU, Objective())
    bad = part(steps, 0, slice(2))
    bad.inputs[0, 0, 0, 0] = torch.inf
    for _ in range(2):
        for number in range(20):
            learner.step([bad], lr=RATE, weight=2, number=number)
        learner.step([part(steps, 0)], lr=RATE, weight=8, number=20)
    assert learner.skipped == 0


@pytest.mark.gpu
def test_batch_norm_over_all_processes_is_that_of_pytorch(
    before: Callable[[], ResNeXt], tmp_path: Path
) -> None:
    distributed.init_process_group(
        "nccl", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        machine = Machine(device=torch.device("cuda"), processes=2)
        learner = Learner(before(), replace(GOLDEN, sync_bn=True), machine, Objective())
    finally:
        distributed.destroy_process_group()
    norms = [each for each in learner.network.modules() if isinstance(each, _BatchNorm)]
    assert {type(norm) for norm in norms} == {torch.nn.SyncBatchNorm}
    assert list(learner.network.state_dict()) == list(before().state_dict())


def test_average_follows_the_weights_with_a_warm_up(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    learner = Learner(before(), replace(GOLDEN, ema=0.99), CPU, Objective())
    expected = {n: t.double().clone() for n, t in learner.network.state_dict().items()}
    for number in range(3):
        learner.step([part(steps, number)], lr=RATE, weight=8, number=number + 1)
        kept = (2 + number) / (11 + number)  # (1 + n) / (10 + n), still below 0.99
        for name, tensor in learner.network.state_dict().items():
            mixed = kept * expected[name] + (1 - kept) * tensor.double()
            expected[name] = mixed if tensor.is_floating_point() else tensor.double()
    for name, tensor in learner.average.tensors.items():
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6, msg=name)


def test_weighted_smoothed_and_mixed_loss_is_what_its_formula_says() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 2, 1, 1])
    weights = torch.tensor([1.0, 2.0, 0.5])
    objective = Objective(weights=weights, smoothing=0.1)
    logs = logits - logits.exp().sum(1, keepdim=True).log()

    def loss(row: int, label: int) -> float:
        spread = sum(0.1 / 3 * weights[k] * logs[row, k] for k in range(3))
        return -float(0.9 * weights[label] * logs[row, label] + spread)

    plain = sum(loss(row, int(label)) for row, label in enumerate(labels))
    assert float(objective.total(logits, labels)) == pytest.approx(plain, rel=1e-5)
    partners = sum(loss(row, int(label)) for row, label in enumerate(labels.flip(0)))
    mixed = 0.3 * plain + 0.7 * partners
    assert float(objective.total(logits, labels, Mixup(share=0.3))) == pytest.approx(
        mixed, rel=1e-5
    )
    assert total_weight(labels.numpy(), (1.0, 2.0, 0.5)) == 1 + 0.5 + 2 + 2


@pytest.mark.parametrize("share", [1.0, 0.75, 0.25, 0.0])
def test_mixed_picture_is_decided_rightly_where_its_larger_part_is(
    share: float, before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    # Two pictures in turn, and the labels that the network gives to what is shown more of them.
    network = before()
    pair = part(steps, 0, slice(2)).inputs
    with torch.no_grad():
        shown = network.train()(share * pair + (1 - share) * pair.flip(0)).argmax(1)
    labels = shown if share >= 0.5 else shown.flip(0)
    learner = Learner(before(), GOLDEN, CPU, Objective())
    mixed = MicroBatch(inputs=pair, labels=labels)
    seen = learner.step([mixed], lr=RATE, weight=2, number=1, mix=Mixup(share=share))
    assert seen.wrong == 0


def test_losses_and_mistakes_of_all_parts_are_added_up(
    before: Callable[[], ResNeXt], steps: dict[str, np.ndarray]
) -> None:
    network = before().train()
    halves = [part(steps, 0, slice(0, 3)), part(steps, 0, slice(3, 6))]
    parts, loss = [], 0.0
    for mistakes, half in zip((1, 2), halves, strict=True):
        with torch.no_grad():
            logits = network(half.inputs)
        labels = logits.argmax(1)
        labels[:mistakes] = (labels[:mistakes] + 1) % logits.shape[1]
        loss += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        parts.append(MicroBatch(inputs=half.inputs, labels=labels))
    learner = Learner(before(), GOLDEN, CPU, Objective())
    seen = learner.step(parts, lr=RATE, weight=6, number=1)
    assert (seen.images, seen.wrong) == (6, 3)
    assert seen.loss == pytest.approx(loss, rel=1e-5)


def test_mixed_pictures_are_sums_of_two() -> None:
    inputs = torch.arange(3.0).reshape(3, 1, 1, 1)
    mixed = Mixup(share=0.25).images(inputs)
    assert mixed.flatten().tolist() == [0.25 * 0 + 0.75 * 2, 1.0, 0.25 * 2 + 0.75 * 0]
