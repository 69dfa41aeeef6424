"""Counters of batches that are raised together."""

import pytest
import torch
from torch import nn

from train.step.batch_counters import BatchCounters


def network() -> nn.Sequential:
    found = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2), nn.BatchNorm2d(2)).train()
    found[1].eval()
    return found


def counts(norms: nn.Sequential) -> list[int]:
    return [int(norm.num_batches_tracked) for norm in norms]


def test_counters_of_norms_that_learn_are_raised_by_the_passes() -> None:
    norms = network()
    state = norms.state_dict()
    counters = BatchCounters(norms)
    with counters.passes(3):
        for _ in range(3):
            norms(torch.randn(2, 2, 4, 4))
    assert counts(norms) == [3, 0, 3]
    with counters.passes(1):
        norms(torch.randn(2, 2, 4, 4))
    assert counts(norms) == [4, 0, 4]
    # The tensors are those that others, such as an average of the weights, hold already.
    assert [int(state[f"{n}.num_batches_tracked"]) for n in range(3)] == [4, 0, 4]


def test_counters_are_there_again_behind_an_error() -> None:
    norms = network()
    with pytest.raises(ZeroDivisionError), BatchCounters(norms).passes(1):
        raise ZeroDivisionError
    assert counts(norms) == [0, 0, 0]
    assert len(norms.state_dict()) == 15
