"""Compiled steps: with everything that changes a step, they are the plain ones up to rounding."""

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from resnext.model import ResNeXt
from resnext.spec import Spec, Stem
from tests.support.train_runs import assert_same_tensors, tiny, write_data
from train.recipe.recipe import CIFAR_2017
from train.step.learner import Learner, Machine
from train.step.loss import Objective
from train.step.micro_batch import MicroBatch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
]
RECIPE = replace(CIFAR_2017, batch_size=8)
CPU = Machine(device=torch.device("cpu"))
# One block a stage: the fewer layers, the sooner they are compiled.
SPEC = Spec(blocks=(1, 1, 1), cardinality=2, base_width=4, planes=8, stem=Stem.CIFAR, classes=4)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Let PyTorch's compiler warn of itself."""
    from torch._dynamo.utils import counters  # whose import takes seconds

    torch._dynamo.reset()
    counters.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def learnt(
    change: dict[str, Any],
    *,
    compiled: bool,
    parts: int = 1,
    sizes: str = "888",
    deterministic: bool = False,
) -> Learner:
    """Return a learner after steps of some sizes, each in parts."""
    generator = torch.Generator().manual_seed(5)
    network = ResNeXt(SPEC, generator=generator)
    machine = replace(CPU, compiled=compiled, deterministic=deterministic)
    learner = Learner(network, replace(RECIPE, **change), machine, Objective())
    for number, size in enumerate(map(int, sizes), 1):
        inputs = torch.randn(size, 3, 16, 16, generator=generator)
        labels = torch.arange(size) % 4
        pairs = zip(inputs.chunk(parts), labels.chunk(parts), strict=True)
        batch = [MicroBatch(inputs=x, labels=y) for x, y in pairs]
        learner.step(batch, lr=0.01, weight=size, number=number)
    return learner


def test_compiler_that_may_not_choose_by_speed_gives_the_plain_steps() -> None:
    plain = learnt({}, compiled=False, parts=1, sizes="88")
    found = learnt({}, compiled=True, parts=1, sizes="88", deterministic=True)
    for name, tensor in plain.network.state_dict().items():
        other = found.network.state_dict()[name]
        torch.testing.assert_close(other, tensor, rtol=1e-4, atol=1e-4, msg=name)


CASES: dict[str, tuple[dict[str, Any], int, str]] = {
    "plain": ({}, 1, "888"),
    "smaller last batch": ({}, 1, "8838"),
    "accumulation": ({"accumulate": 2}, 2, "888"),
    "average": ({"ema": 0.9}, 1, "888"),
    "freezing": ({"freeze": "layer1"}, 1, "888"),
    "channels last": ({"channels_last": True}, 1, "888"),
    "bf16": ({"precision": "bf16"}, 1, "88"),
}


@pytest.mark.parametrize(("change", "parts", "sizes"), CASES.values(), ids=CASES)
def test_compiled_steps_are_the_plain_ones(change: dict[str, Any], parts: int, sizes: str) -> None:
    plain = learnt(change, compiled=False, parts=parts, sizes=sizes)
    found = learnt(change, compiled=True, parts=parts, sizes=sizes)
    # What is called once for each size is not compiled again in later steps.
    from torch._dynamo.utils import counters

    assert counters["stats"]["unique_graphs"] == len({*sizes})
    near = 3e-2 if "precision" in change else 1e-4
    pairs = [(plain.network.state_dict(), found.network.state_dict())]
    if plain.average is not None:
        pairs.append((plain.average.tensors, found.average.tensors))
    for expected, tensors in pairs:
        assert tensors.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(tensors[name], tensor, rtol=near, atol=near, msg=name)
    count = int(found.network.bn1.num_batches_tracked)
    assert count == (0 if "freeze" in change else parts * len(sizes))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("compiled"))


def train(root: Path, output: str, *words: str) -> None:
    command = [sys.executable, "-m", "train.cli", *map(str, tiny(output, *words))]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def test_compiled_run_goes_on_bit_for_bit(root: Path) -> None:
    options = (
        "--schedule",
        "constant",
        "--compile",
        "--ema",
        "0.9",
        "--accumulate",
        "2",
        "--freeze",
        "stem",
    )
    train(root, "whole", *options, "--epochs", "2")
    train(root, "parts", *options, "--epochs", "1")
    train(root, "parts", *options, "--epochs", "2", "--resume")
    for name in ("last.safetensors", "last_average.safetensors", "best.safetensors"):
        assert_same_tensors(root / "parts" / name, root / "whole" / name)
    assert np.isfinite(load_file(root / "whole" / "last.safetensors")["fc.weight"]).all()
