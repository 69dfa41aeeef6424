"""The memory of a step: against what autograd keeps, and before any of it is taken."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnext.model import ResNeXt
from resnext.spec import Block, Norm, Shortcut, Spec, Stem
from tests.support.train_runs import assert_refused, run, tiny, write_data
from train.recipe.recipe import IMAGENET_2017
from train.step.memory import StepMemory, step_memory

SMALL = Spec(
    blocks=(1, 1, 1),
    stem=Stem.CIFAR,
    block=Block.BOTTLENECK,
    shortcut=Shortcut.B,
    cardinality=2,
    base_width=4,
    classes=10,
)
LARGE = replace(SMALL, blocks=(2, 1, 1, 1), stem=Stem.IMAGENET, cardinality=4)
BASIC = replace(LARGE, block=Block.BASIC, cardinality=1, base_width=64)


def kept_by_autograd(spec: Spec, crop: int, images: int) -> int:
    """Return the bytes that PyTorch keeps for the backward pass, beside the parameters."""
    network = ResNeXt(spec).train()
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(torch.zeros(images, 3, crop, crop))
    assert output.requires_grad
    for parameter in network.parameters():
        sizes.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(sizes.values())


@pytest.mark.parametrize(
    ("spec", "crop"),
    [
        (SMALL, 32),
        (SMALL, 45),
        (LARGE, 96),
        (LARGE, 101),
        (BASIC, 64),
        (replace(BASIC, shortcut=Shortcut.A), 64),
        (replace(LARGE, shortcut=Shortcut.C), 64),
        (replace(LARGE, norm=Norm.AFTER_ADD), 64),
        (replace(LARGE, norm=Norm.PRE), 64),
    ],
    ids=["CIFAR", "odd", "ImageNet", "odd too", "basic", "A", "C", "after addition", "pre"],
)
def test_activations_are_those_that_autograd_keeps(spec: Spec, crop: int) -> None:
    found = kept_by_autograd(spec, crop, images=4)
    recipe = replace(IMAGENET_2017, batch_size=4)
    memory = step_memory(spec, recipe, crop)
    assert memory.images * memory.activation == pytest.approx(found, rel=0.02)


def test_parts_processes_and_precision_make_it_less() -> None:
    recipe = replace(IMAGENET_2017, batch_size=32)
    whole = step_memory(LARGE, recipe, 64)
    assert whole.images == 32
    assert step_memory(LARGE, replace(recipe, accumulate=4), 64).images == 8
    assert step_memory(LARGE, recipe, 64, processes=3).images == 11
    half = step_memory(LARGE, replace(recipe, precision="bf16"), 64)
    assert whole.activation / 2 < half.activation < whole.activation * 0.6
    assert step_memory(LARGE, recipe, 64, saves_memory=True).activation < whole.activation


def test_sums() -> None:
    memory = StepMemory(
        activation=1_000_000, largest=100_000, weights=2_000_000, copies=4, images=10
    )
    assert memory.least == 16_000_000
    assert memory.estimate == 11_500_000 + 3_000_000 + 8_000_000 + 100_000_000
    assert memory.images_in(memory.estimate + 10) == 10
    assert memory.images_in(0) == 0


def test_step_that_does_not_fit_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    root = write_data(tmp_path)
    begun = tiny("x", "--scale", "9000", "--crop", "9000", "--batch-size", "48")
    done = run(root, *begun, "--crop-kind", "RandomResizedCrop")
    assert_refused(
        done,
        "--batch-size 48, crop 9000: a step that fits into the ",
        "GB that are free expected, but 48 pictures at once, of 9000 pixels, take about ",
        "--save-memory or a smaller --crop",
    )
    assert not (root / "x").exists()
