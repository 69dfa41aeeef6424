import ctypes
import multiprocessing
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from predict.options import PredictionConfig
from predict.prediction_pass import command_predictions
from predict.request import PredictionRequest, checked_request, prediction_begun
from resnext.checkpoint import Checkpoint
from resnext.distributed.job import Job
from resnext.pixels.pipelines import Preparation
from resnext.terminal.watcher import Watcher
from tests.support.digits import DIGITS
from tests.support.golden import ROOT

FOUR = DIGITS / "val" / "4_four"  # 33 pictures


def asked(
    checkpoint: Checkpoint, pictures: Sequence[Path] = (FOUR,), **options: object
) -> PredictionRequest:
    config = PredictionConfig(device="cpu", **options)  # type: ignore[arg-type]
    return checked_request(checkpoint, [*map(str, pictures)], config, Watcher())


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [16, 16, 1]),
        ({"batch_size": 40}, [33]),
        ({"crops": 10, "batch_size": 3}, [3, 2]),
        ({"crops": 10}, [1] * 5),
    ],
    ids=["usual", "one batch", "ten crops", "ten crops as usual"],
)
def test_what_is_begun_is_what_is_computed(
    checkpoint: Checkpoint, options: dict[str, object], sizes: list[int]
) -> None:
    pictures = sorted(FOUR.iterdir())[: sum(sizes)]
    request = asked(checkpoint, pictures, **options)
    with prediction_begun(request, Job()) as begun:
        (reader,) = multiprocessing.active_children()
        assert begun is not None
        found = command_predictions(request, Job(), Watcher(), begun)
        first = next(found)
        assert multiprocessing.active_children() == [reader]
        rows = [first, *found]
    assert [row.image for row in rows] == [*map(str, pictures)]
    assert [row.error for row in rows] == [None] * sum(sizes)
    assert multiprocessing.active_children() == []


def test_each_process_of_a_job_begins_with_its_own_batches(checkpoint: Checkpoint) -> None:
    job = Job(rank=1, size=2, local_rank=1, local_size=2)
    request = asked(checkpoint, batch_size=10)
    ways = [request.preparation(on_device=False)]
    with prediction_begun(request, job) as begun:
        assert begun is not None
        mine = [[*range(10, 20)], [*range(30, 33)]]
        assert begun.reads(mine, ways, workers=1, pinned=False)


def test_gpu_gets_pinned_raw_crops_in_larger_batches(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnext.machine.cores", lambda: 1)
    config = PredictionConfig(device="cuda:0")
    request = checked_request(checkpoint, [str(DIGITS / "val")], config, Watcher())
    ways = [request.preparation(on_device=True)]
    assert isinstance(ways[0], Preparation)
    with prediction_begun(request, Job()) as begun:
        assert begun is not None
        batches = [[*range(128)], [*range(128, 256)], [*range(256, 360)]]
        assert begun.reads(batches, ways, workers=1, pinned=True)


def test_nothing_begins_where_nothing_is_read_ahead(checkpoint: Checkpoint) -> None:
    with prediction_begun(asked(checkpoint, workers=0), Job()) as begun:
        assert begun is None


# Blocks of 64 MiB that glibc maps one by one, before and behind a command.
MAPPED = """
import ctypes, sys
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks "
                "fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
import predict
from predict.options import PredictionConfig
from predict.prediction_pass import command_predictions
from predict.request import checked_request
from resnext.distributed.job import Job
from resnext.terminal.watcher import Watcher

network, picture = sys.argv[1:]
request = checked_request(network, [picture], PredictionConfig(device="cpu"), Watcher())
{what}
before = libc.mallinfo2().hblks
assert libc.malloc(64 << 20)
print(libc.mallinfo2().hblks - before, file=sys.stderr)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="needs glibc 2.33",
)
@pytest.mark.parametrize(
    ("what", "mapped"),
    [
        ("list(command_predictions(request, Job(), Watcher(), None))", "0"),
        ("list(predict.pictures(network, picture, device='cpu'))", "1"),
    ],
    ids=["command", "Python"],
)
def test_command_keeps_memory_that_it_frees_and_a_library_does_not(
    what: str, mapped: str, network: Path
) -> None:
    words = [sys.executable, "-c", MAPPED.format(what=what), str(network), str(FOUR)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.split()[-1:]) == (0, [mapped]), done.stderr
