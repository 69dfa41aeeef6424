"""Epochs that are read from a step on, and that have begun before they are asked for."""

import multiprocessing

import pytest
import torch

from resnext.distributed.job import Job
from resnext.download import no_bar
from tests.support.train_runs import tiny, write_data
from train.cli import config_of, main
from train.input.task import Task, prepare
from train.request import checked_request
from train.run.epoch_input import EpochReading, epoch_reading, read_step
from train.run.resources import Resources

ALONE = Resources(job=Job(), device=torch.device("cpu"), workers=0)
READ = Resources(job=Job(), device=torch.device("cpu"), workers=1)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    root = write_data(tmp_path_factory.mktemp("input"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = [str(word) for word in tiny("run", "--accumulate", "2", "--data", root / "data")]
        with main.make_context("resnext-train", words) as context:
            config = config_of(**context.params)
        request = checked_request(config, Job(), no_bar)
        return prepare(config, request.recipe, request.images, job=Job(), bar=no_bar)


def steps(reading: EpochReading) -> list[list[torch.Tensor]]:
    found = []
    for _ in reading.batches:
        parts, error = read_step(reading, 2)
        assert error is None
        found.append([part.inputs for part in parts])
    reading.close()
    return found


def test_rest_of_an_epoch_is_what_the_whole_one_ends_with(task: Task) -> None:
    whole = EpochReading(task, ALONE, place=(2, 0))
    rest = EpochReading(task, ALONE, place=(2, 4))
    assert (whole.images, len(whole.batches)) == (48, 6)
    assert (rest.images, len(rest.batches)) == (48, 2)
    expected = steps(whole)[4:]
    for found, step in zip(steps(rest), expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, step, strict=True))


def test_workers_read_before_the_first_step_is_asked_for(task: Task) -> None:
    before = set(multiprocessing.active_children())
    reading = EpochReading(task, READ, place=(1, 0))
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 1
    assert epoch_reading(task, READ, place=(1, 0), begun=reading) is reading
    other = epoch_reading(task, ALONE, place=(1, 3), begun=reading)
    assert other.place == (1, 3)
    assert not workers & set(multiprocessing.active_children())
    for each in (reading, other, other):
        each.close()


def test_step_that_is_not_taken_ends_the_workers_too(task: Task) -> None:
    before = set(multiprocessing.active_children())
    reading = EpochReading(task, READ, place=(1, 0))
    assert read_step(reading, 0) == ([], None)
    reading.close()
    assert set(multiprocessing.active_children()) <= before
