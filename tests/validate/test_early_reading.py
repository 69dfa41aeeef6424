import multiprocessing
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnext.distributed.job import Job
from resnext.inference.arithmetic import Precision
from resnext.inference.evaluation import Way, evaluate
from resnext.inference.plan import make_plan
from resnext.inference.predictor import Predictor
from resnext.pixels.pipelines import Preparation
from resnext.terminal.watcher import Watcher
from tests.support.golden import ROOT
from validate.early_reading import measurement_begun
from validate.options import MeasurementConfig
from validate.request import MeasurementRequest, checked_request

DIGITS = ROOT / "examples" / "digits"
CONFIG = MeasurementConfig(
    data=str(DIGITS / "val"),
    checkpoints=(str(DIGITS / "resnext_11_8x4d_digits.t7"),),
    claims=DIGITS / "claims.toml",
    device="cpu",
    limit=40,
)


@pytest.fixture(scope="module")
def asking() -> MeasurementRequest:
    return checked_request(CONFIG, Watcher())


def asked(request: MeasurementRequest, **options: object) -> MeasurementRequest:
    return replace(request, config=replace(CONFIG, **options))  # type: ignore[arg-type]


def wanted(request: MeasurementRequest, size: int) -> list[list[int]]:
    plan = make_plan(len(request.images), limit=40, seed=0, batch_size=size)
    return [plan.batch(number).tolist() for number in range(plan.batches)]


def test_what_is_begun_is_what_a_cpu_measures(asking: MeasurementRequest) -> None:
    row = asking.networks[0].preprocessings[0]
    ways = [Preparation(row)]
    with measurement_begun(asking, Job()) as begun:
        assert begun is not None
        assert begun.reads(wanted(asking, 16), ways, workers=1, pinned=False)
        assert not begun.reads(wanted(asking, 8), ways, workers=1, pinned=False)
        assert not begun.reads(wanted(asking, 16), ways, workers=2, pinned=False)
        assert not begun.reads(wanted(asking, 16), ways, workers=1, pinned=True)
        on_device = [replace(ways[0], on_device=True)]
        assert not begun.reads(wanted(asking, 16), on_device, workers=1, pinned=False)
        next(begun)
        assert not begun.reads(wanted(asking, 16), ways, workers=1, pinned=False)
    assert multiprocessing.active_children() == []


def test_each_process_of_a_job_begins_with_its_own_batches(asking: MeasurementRequest) -> None:
    job = Job(rank=1, size=2, local_rank=1, local_size=2)
    row = asking.networks[0].preprocessings[0]
    with measurement_begun(asked(asking, batch_size=10, workers=1), job) as begun:
        assert begun is not None
        ways = [Preparation(row)]
        assert begun.reads(wanted(asking, 10)[1::2], ways, workers=1, pinned=False)


def test_gpu_gets_pinned_raw_crops_in_larger_batches(
    asking: MeasurementRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnext.machine.cores", lambda: 1)
    ways = [Preparation(asking.networks[0].preprocessings[0], on_device=True)]
    with measurement_begun(asked(asking, device="cuda:0"), Job()) as begun:
        assert begun is not None
        assert begun.reads(wanted(asking, 128), ways, workers=1, pinned=True)


def test_nothing_begins_where_nothing_is_read_ahead_or_a_ledger_goes_on(
    asking: MeasurementRequest, tmp_path: Path
) -> None:
    ledger = tmp_path / "run.jsonl"
    with measurement_begun(asked(asking, workers=0), Job()) as begun:
        assert begun is None
    with measurement_begun(asked(asking, ledger=ledger), Job()) as begun:
        assert begun is not None
    ledger.touch()
    with measurement_begun(asked(asking, ledger=ledger), Job()) as begun:
        assert begun is None


@pytest.mark.parametrize("size", [16, 40], ids=["as expected", "other batches"])
def test_evaluation_takes_what_was_begun_or_reads_what_it_needs(
    asking: MeasurementRequest, size: int
) -> None:
    network = asking.networks[0]
    predictor = Predictor(
        network.checkpoint.build(), device=torch.device("cpu"), precision=Precision.FP32
    )
    way = Way(
        predictor=predictor,
        preparation=Preparation(network.preprocessings[0]),
    )
    plan = make_plan(len(asking.images), limit=40, seed=0, batch_size=size)
    with measurement_begun(asking, Job()) as begun:
        assert begun is not None
        results = evaluate(
            asking.images,
            plan,
            [way],
            batches=range(plan.batches),
            workers=1,
            begun=begun,
        )
        with closing(results):
            found = [position for each in results for position in each.positions.tolist()]
    assert found == [position for batch in wanted(asking, size) for position in batch]
    assert multiprocessing.active_children() == []
