"""A learner restored from a state: whole, or refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
from resnext.distributed.job import Job
from tests.support.golden import DATA, unpack
from train.recipe.changes import changed
from train.recipe.recipe import CIFAR_2017, Optimizer
from train.run.folder import StateError
from train.run.progress import Progress
from train.run.snapshot import restore, to_arrays
from train.run.state import State
from train.step.learner import Learner, Machine
from train.step.loss import Objective
from train.step.micro_batch import MicroBatch
from train.step.optimizer import memory_of

ADAMW = changed(CIFAR_2017, {"optimizer": Optimizer.ADAMW, "freeze": "stem", "batch_size": 4})
PATH = Path("state.safetensors")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> object:
    return convert.load(unpack(DATA / "sgd" / "before.t7.xz", tmp_path_factory.mktemp("sgd")))


def learner(checkpoint: object) -> Learner:
    torch.set_num_threads(1)
    machine = Machine(device=torch.device("cpu"))
    return Learner(checkpoint.build(), ADAMW, machine, Objective())


def learnt(learner: Learner, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    inputs = torch.randn(4, 3, 8, 8, generator=generator)
    part = MicroBatch(inputs=inputs, labels=torch.arange(4))
    learner.step([part], lr=0.01, weight=4, number=number)


@pytest.fixture
def state(checkpoint: object) -> State:
    found = learner(checkpoint)
    learnt(found, 1)
    memory = memory_of(found.optimizer, found.network, Optimizer.ADAMW)
    return State(
        identity={},
        progress=Progress(),
        network=to_arrays(found.network.state_dict()),
        optimizer={kind: to_arrays(named) for kind, named in memory.items()},
        scaler={"scaler": {}, "skipped": 0},
    )


def test_adamw_state_names_what_torch_remembers_of_what_learns(state: State) -> None:
    assert sorted(state.optimizer) == ["exp_avg", "exp_avg_sq", "step"]
    for named in state.optimizer.values():
        assert "conv1.weight" not in named
        assert "layer1.0.conv1.weight" in named
    assert state.optimizer["step"]["fc.weight"] == 1
    assert state.optimizer["step"]["fc.weight"].dtype == np.float32


def test_restored_learner_takes_the_same_step(checkpoint: object, state: State) -> None:
    one, other = learner(checkpoint), learner(checkpoint)
    learnt(one, 1)
    restore(other, state, Job(), PATH)
    for each in (one, other):
        learnt(each, 2)
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], tensor), name


def without(state: State, kind: str, name: str) -> State:
    kept = {key: array for key, array in state.optimizer[kind].items() if key != name}
    return replace(state, optimizer={**state.optimizer, kind: kept})


def test_state_without_a_part_of_the_memory_is_refused(checkpoint: object, state: State) -> None:
    with pytest.raises(StateError, match=r"step of each parameter expected, none of 'fc\.bias'"):
        restore(learner(checkpoint), without(state, "step", "fc.bias"), Job(), PATH)


def test_memory_of_an_unknown_parameter_is_refused(checkpoint: object, state: State) -> None:
    strange = {kind: {**named, "x": named["fc.bias"]} for kind, named in state.optimizer.items()}
    with pytest.raises(StateError, match="a parameter of this network expected, found 'x'"):
        restore(learner(checkpoint), replace(state, optimizer=strange), Job(), PATH)


def test_memory_of_another_shape_is_refused(checkpoint: object, state: State) -> None:
    wrong = {**state.optimizer["exp_avg"], "fc.bias": np.zeros(99, np.float32)}
    damaged = replace(state, optimizer={**state.optimizer, "exp_avg": wrong})
    with pytest.raises(StateError, match=r"tensors of this run expected, found others.*fc\.bias"):
        restore(learner(checkpoint), damaged, Job(), PATH)
