import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.sources.folders import class_folders
from resnext.loader.batches import read_batches
from resnext.loader.buffers import memory_error
from resnext.loader.pictures import Prepare
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import CIFAR10
from tests.support.golden import ROOT

VAL = ROOT / "examples" / "digits" / "val"


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return class_folders(VAL)


def pid(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    return np.array([os.getpid() % 1000], np.float32)


def large(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    return np.zeros(1 << 22, np.float32)


def broken(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    raise OSError(5, "Input/output error", "disk")


def none_left(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    raise MemoryError


def test_batches_are_dealt_out_in_turn(images: ImageSet) -> None:
    with closing(read_batches(images, [[0]] * 7, [pid], workers=3)) as read:
        found = [batch.tensor().item() for batch in read]
    assert found[:3] == found[3:6]
    assert found[0] == found[6]
    assert len({*found, os.getpid() % 1000}) == 4


def test_process_that_is_started_anew_reads_the_same(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, where a fork is not safe."""
    way = Preparation(CIFAR10)
    (here,) = read_batches(images, [[5, 6]], [way], workers=0)
    monkeypatch.setattr("resnext.loader.reader.METHOD", "spawn")
    with closing(read_batches(images, [[5, 6], [7]], [way], workers=2)) as read:
        there = next(read)
        assert there.tensor().tolist() == here.tensor().tolist()
        assert next(read).positions.tolist() == [7]


@pytest.mark.parametrize("error", [broken, none_left])
def test_error_of_a_reader_is_raised_where_its_batch_is_taken(
    images: ImageSet, error: Prepare
) -> None:
    read = read_batches(images, [[0]], [error], workers=1)
    with closing(read), pytest.raises((OSError, MemoryError)) as raised:
        next(read)
    said = "" if error is none_left else "[Errno 5] Input/output error: 'disk'"
    assert str(raised.value) == said


def crashing(_pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
    if position == 31:
        os.kill(os.getpid(), signal.SIGUSR1)
    return np.zeros(1, np.float32)


def ending(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("prepare", "how"), [(crashing, "SIGUSR1"), (ending, "exit code 3")], ids=["crash", "exit"]
)
def test_reader_that_crashes_names_its_pictures(
    images: ImageSet, prepare: Prepare, how: str
) -> None:
    """Of three batches that one reader was asked for, the one that it was at."""
    batches = [[30, 31, 32], [33], [34]] if prepare is ending else [[1], [30, 31, 32], [33]]
    read = read_batches(images, batches, [prepare], workers=1)
    said = f"crashed ({how}) in its batch from {images.ids[30]} to {images.ids[32]}; one of these"
    with closing(read), pytest.raises(DataError, match=re.escape(said)):
        list(read)
    assert multiprocessing.active_children() == []


def test_reader_that_is_killed_before_its_memory_arrives_is_lost(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next question has not been read then, and the system reports a connection reset."""

    def gone(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("resnext.loader.reader._send_file", gone)
    read = read_batches(images, [[0], [1]], [pid], workers=1)
    with closing(read), pytest.raises(DataError, match="was killed, probably for want of memory"):
        next(read)


@pytest.mark.parametrize("pinned", [False, True])
def test_epochs_leave_no_file_no_thread_and_no_process(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch, *, pinned: bool
) -> None:
    """Also those that are left in the middle. Pinning needs a GPU; a copy stands in for it."""
    stand_in_for_a_gpu(monkeypatch)
    there = []
    for epoch in range(4):
        with closing(read_batches(images, [[0]] * 9, [pid, pid], workers=2, pinned=pinned)) as read:
            for _ in range(9 if epoch % 2 else 4):
                next(read)
        there.append((len([*Path("/proc/self/fd").iterdir()]), threading.active_count()))
    assert len(set(there)) == 1
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("pinned", [False, True])
def test_reading_is_closed_at_once_while_its_batch_is_waited_for(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch, *, pinned: bool
) -> None:
    stand_in_for_a_gpu(monkeypatch)
    read = read_batches(images, [[0]] * 3, [waiting], workers=2, pinned=pinned)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(read)
    begin = time.monotonic()
    read.close()
    assert time.monotonic() - begin < 30
    assert multiprocessing.active_children() == []


def waiting(_pixels: NDArray[np.uint8], _position: int) -> NDArray[np.float32]:
    time.sleep(300)
    return np.zeros(1, np.float32)


def stand_in_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)


def test_batch_that_no_memory_holds_is_explained(images: ImageSet) -> None:
    """Of 16 MB for a file, where 2 MB are allowed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 21, before[1]))
    try:
        read = read_batches(images, [[0]], [large], workers=1)
        said = pytest.raises(DataError, match=r"do not fit in memory \(File too large\)")
        with closing(read), said:
            next(read)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("spare", [1, 5, 9, 14])
def test_too_few_files_are_explained_and_leave_no_process(images: ImageSet, spare: int) -> None:
    """Whichever of the pipes, sockets and buffers is the first for which there is none."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free() + spare, before[1]))
    try:
        with (
            pytest.raises(DataError, match="more files than this process may open"),
            closing(read_batches(images, [[0]] * 8, [pid, pid], workers=4)) as read,
        ):
            [batch.inputs for batch in read]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert multiprocessing.active_children() == []


def lowest_free() -> int:
    """Return the lowest descriptor that is not open."""
    found = os.open(os.devnull, os.O_RDONLY)
    os.close(found)
    return found


def test_too_many_processes_are_explained(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root has no such limit, so the error of the system call stands in for it."""

    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with pytest.raises(DataError, match=r"as many processes .* \(ulimit -u\); use fewer --workers"):
        read_batches(images, [[0]], [pid], workers=1)


def test_other_memory_errors_name_their_reason() -> None:
    error = memory_error(OSError(12, "Cannot allocate memory"))
    assert str(error) == (
        "the batches that are read ahead do not fit in memory (Cannot allocate memory); use a "
        "smaller --batch-size or --workers; --workers 0 reads none ahead"
    )


ALONE = """
import sys, time
from pathlib import Path
from resnext.images.sources.folders import class_folders
from resnext.loader.batches import read_batches
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import CIFAR10
images = class_folders(Path(sys.argv[1]))
read = read_batches(images, [[0]] * 50, [Preparation(CIFAR10)], workers=3)
print("torch" in sys.modules, *(reader.process.pid for reader in read._readers), flush=True)
time.sleep(60)
"""


def test_readers_need_no_torch_ignore_a_terminal_and_end_with_the_main_process() -> None:
    main = subprocess.Popen(
        [sys.executable, "-c", ALONE, str(VAL)], stdout=subprocess.PIPE, text=True
    )
    assert main.stdout is not None
    torch, *readers = main.stdout.readline().split()
    assert (torch, len(readers)) == ("False", 3)
    for reader in readers:
        os.kill(int(reader), signal.SIGINT)
        os.kill(int(reader), signal.SIGTERM)
    time.sleep(0.2)
    assert [Path("/proc", reader).exists() for reader in readers] == [True] * 3
    main.kill()
    main.wait()
    main.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(is_alive, readers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(reader: str) -> bool:
    """Tell whether a process runs; one that has ended may still be listed."""
    try:
        return Path("/proc", reader, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
