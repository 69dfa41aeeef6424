"""Files that are fetched ahead: their order, what is kept, and what whoever waits is told."""

import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from resnext.download.retries import Patience, TryAgainError
from resnext.errors import DownloadError
from resnext.stores.arrivals import Arrivals, size_text
from resnext.stores.fetching import fetch_file
from resnext.stores.ranged import BLOCK, RangedFile
from resnext.stores.store import StoredFile

SIZE = 3_000_000


@dataclass
class Shelf:
    """A store in memory, of files each of which is one byte repeated, that a test may hold back.

    Attributes:
        held: what is waited for before a file is sent.
        asked: (name, start, end) of all requests.
        error: what is raised in place of a file's bytes.
    """

    address: str = "shelf://x"
    held: dict[str, threading.Event] = field(default_factory=dict)
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    error: BaseException | None = None

    def files(self) -> tuple[StoredFile, ...]:
        return tuple(StoredFile(name=f"{n}.bin", size=SIZE, version="1") for n in range(9))

    def place(self, file: StoredFile) -> str:
        return f"shelf/{file.name}"

    def has_still(self, file: StoredFile) -> bool:
        return file.version == "1"

    def states_md5(self, file: StoredFile) -> bool:
        return file.md5 is not None

    def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        self.asked.append((file.name, start, end))
        if self.error is not None:
            raise self.error
        if gate := self.held.get(file.name):
            gate.wait(30)
        yield file.name[:1].encode() * (end - start)


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_files_come_in_order_and_are_waited_for(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.held |= {file.name: threading.Event() for file in shelf.files()}
    arrivals = Arrivals(shelf, shelf.files(), tmp_path)
    arrivals.start()
    assert until(lambda: len(shelf.asked) == 8)
    assert sorted(name for name, *_ in shelf.asked) == [f"{n}.bin" for n in range(8)]
    for number in range(8):
        shelf.held[f"{number}.bin"].set()
    assert arrivals.wait(7).read_bytes() == b"7" * SIZE
    assert not arrivals.paths[8].exists()
    shelf.held["8.bin"].set()
    assert arrivals.wait(8).read_bytes() == b"8" * SIZE
    again = Arrivals(shelf, shelf.files(), tmp_path)
    assert (again.missing, again.note("x")) == (0, ())


def test_file_that_is_waited_for_comes_first(tmp_path: Path) -> None:
    shelf = Shelf()
    many = [StoredFile(name=f"{n}.bin", size=SIZE, version="1") for n in range(200)]
    gates = {f.name: threading.Event() for f in many[:8]}
    shelf.held |= gates
    arrivals = Arrivals(shelf, many, tmp_path)
    arrivals.start()
    assert until(lambda: len(shelf.asked) == 8)
    waiting = threading.Thread(target=arrivals.wait, args=(150,))
    waiting.start()
    time.sleep(0.2)
    gates["3.bin"].set()
    waiting.join(30)
    assert shelf.asked[8][0] == "150.bin"
    for gate in gates.values():
        gate.set()
    arrivals.wait(199)


def test_process_that_is_forked_waits_too(tmp_path: Path) -> None:
    shelf = Shelf(held={"3.bin": threading.Event()})
    arrivals = Arrivals(shelf, shelf.files(), tmp_path)
    arrivals.start()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(arrivals.wait(3).read_bytes()))
    child.start()
    assert not here.poll(0.2)
    shelf.held["3.bin"].set()
    assert here.recv() == b"3" * SIZE
    child.join()


def fetching(cache: Path, answers: Connection) -> None:
    """Fork a process that waits for a file which does not come, and go on until killed."""
    shelf = Shelf(held={"0.bin": threading.Event()})
    arrivals = Arrivals(shelf, shelf.files(), cache)

    def waiting() -> None:
        try:
            arrivals.wait(0)
        except DownloadError as error:
            answers.send(str(error))

    multiprocessing.get_context("fork").Process(target=waiting).start()
    arrivals.start()
    answers.send("begun")
    threading.Event().wait(60)


def test_process_that_waits_ends_when_that_which_fetches_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=fetching, args=(tmp_path, there))
    process.start()
    assert here.recv() == "begun"
    assert not here.poll(0.2)
    process.kill()
    process.join()
    assert here.poll(10)
    assert here.recv() == "shelf://x: the process that fetches it has ended"


def test_stream_keeps_a_few_files_and_drops_those_that_were_passed(tmp_path: Path) -> None:
    shelf = Shelf()
    large = [StoredFile(name=f.name, size=1 << 26, version="1") for f in shelf.files()]
    arrivals = Arrivals(shelf, large, tmp_path, keeps=False)
    arrivals.start()
    assert until(lambda: all(path.exists() for path in arrivals.paths[:4]))
    time.sleep(0.2)
    assert not arrivals.paths[4].exists()
    arrivals.passed(2)
    assert until(lambda: arrivals.paths[5].exists())
    assert [path.exists() for path in arrivals.paths[:3]] == [False, False, True]
    source = arrivals.at(0)  # afar
    assert isinstance(source, io.RawIOBase)
    assert source.read(5) == b"00000"


def killed_stream(cache: Path) -> None:
    """Begin a stream in a process that is killed when a file lies there."""
    arrivals = Arrivals(Shelf(), Shelf().files(), cache, keeps=False)
    arrivals.start()
    arrivals.wait(0)
    os.kill(os.getpid(), signal.SIGKILL)


def test_next_stream_removes_what_a_killed_one_left_and_no_other(tmp_path: Path) -> None:
    other = Arrivals(Shelf(), Shelf().files(), tmp_path, keeps=False)
    other.start()
    path = other.wait(0)
    (tmp_path / ".stream.of_a_person").mkdir()
    child = multiprocessing.get_context("spawn").Process(target=killed_stream, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.rglob("0.bin"))) == 2
    last = Arrivals(Shelf(), Shelf().files(), tmp_path, keeps=False)
    assert list(tmp_path.rglob("0.bin")) == [path]
    assert (tmp_path / ".stream.of_a_person").exists()
    assert last.paths[0].parents[1].exists()


def test_file_that_is_waited_for_here_comes_whatever_lies_there(tmp_path: Path) -> None:
    shelf = Shelf()
    large = [StoredFile(name=f.name, size=1 << 26, version="1") for f in shelf.files()]
    arrivals = Arrivals(shelf, large, tmp_path, keeps=False)
    arrivals.start()
    assert arrivals.wait(8).exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DownloadError("shelf://x/0.bin: gone"), "shelf://x/0.bin: gone"),
        (OSError(28, "No space left on device", "x"), "x: No space left on device"),
    ],
    ids=["store", "disk"],
)
def test_whoever_waits_is_told_why_nothing_comes(
    tmp_path: Path, error: Exception, said: str
) -> None:
    shelf = Shelf(error=error)
    arrivals = Arrivals(shelf, shelf.files(), tmp_path)
    arrivals.start()
    with pytest.raises(DownloadError, match=said):
        arrivals.wait(5)
    assert not [path for path in tmp_path.rglob("*.bin") if path.is_file()]


def test_file_out_of_the_cache_is_refused(tmp_path: Path) -> None:
    outside = StoredFile(name="../../x", size=1, version="1")
    with pytest.raises(DownloadError, match="leads out of it"):
        Arrivals(Shelf(), [outside], tmp_path)


def test_ranges_of_a_file_are_read_in_few_requests() -> None:
    data = bytes(range(256)) * 8192

    class Bytes(Shelf):
        def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
            self.asked.append((file.name, start, end))
            yield data[start:end]

    shelf = Bytes()
    file = RangedFile(shelf, StoredFile(name="x", size=len(data)))
    for place in range(1000, 1000 + 3 * BLOCK, 997):
        file.seek(place)
        assert file.read(10) == data[place : place + 10]
    assert len(shelf.asked) <= 5
    file.seek(-100, io.SEEK_END)
    assert file.read() == data[-100:]
    assert file.seek(-5000, io.SEEK_END) == len(data) - 5000
    assert file.read(40) == data[-5000:-4960]
    assert file.read(0) == b""
    assert len(shelf.asked) <= 6
    buffer = bytearray(300_000)
    file.seek(7)
    assert file.readinto(buffer) == 300_000
    assert bytes(buffer) == data[7:300_007]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (6_700_000_000, "6.7 GB")]
)
def test_size_is_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_file_of_any_size_comes_whole_and_alone(tmp_path: Path, size: int) -> None:
    shelf = Shelf()
    fetch_file(shelf, StoredFile(name="7.bin", size=size, version="1"), tmp_path / "in" / "7.bin")
    assert (tmp_path / "in" / "7.bin").read_bytes() == b"7" * size
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["7.bin"]
    assert shelf.asked == ([("7.bin", 0, size)] if size else [])


@pytest.mark.parametrize(
    ("version", "kept"),
    [("1", "the 2000000 bytes that arrived are kept for another try; "), (None, "")],
)
def test_file_without_a_version_is_resumed_in_the_same_call_only(
    tmp_path: Path, version: str | None, kept: str
) -> None:
    class Broken(Shelf):
        def stream(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
            self.asked.append((file.name, start, end))
            if len(self.asked) in (1, 2):
                yield b"7" * 1_000_000
            if len(self.asked) < 5:
                raise TryAgainError("shelf://x/7.bin: cut")
            yield b"7" * (end - start)

    shelf, patience = Broken(), Patience(retries=1, sleep=lambda _: None)
    file = StoredFile(name="7.bin", size=SIZE, version=version)
    with pytest.raises(DownloadError) as caught:
        fetch_file(shelf, file, tmp_path / "7.bin", patience=patience)
    assert str(caught.value) == (
        f"shelf://x/7.bin: cut, 2 times in a row; {kept}a path to a copy on disk always works"
    )
    assert [start for _, start, _ in shelf.asked] == [0, 1_000_000, 2_000_000]
    shelf.has_still = lambda _file: True  # type: ignore[method-assign]
    fetch_file(shelf, file, tmp_path / "7.bin", patience=patience)
    assert (tmp_path / "7.bin").read_bytes() == b"7" * SIZE
    assert [start for _, start, _ in shelf.asked][3:] == [2_000_000 if version else 0] * 2


def test_file_with_the_longest_name_is_fetched(tmp_path: Path) -> None:
    name = f"{'é' * 125}.jpg"
    fetch_file(Shelf(), StoredFile(name=f"7/{name}", size=9, version="1"), tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"7" * 9
    assert [path.name for path in tmp_path.iterdir()] == [name]
