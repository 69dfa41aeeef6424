import multiprocessing
import os
import signal
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.images.sources.folders import class_folders
from resnext.loader.batches import read_batches
from resnext.loader.library_warnings import LibraryWarnings, Listener
from resnext.pixels.decoding import Picture, decode_picture
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import Preprocessing
from tests.support.noisy_pictures import PILLOW_LINE, write_noisy, write_odd

ROW = Preprocessing(scale=36, crop=32, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
WAY = Preparation(ROW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    write_noisy(tmp_path / "a" / "1.tif", side=60)
    write_odd(tmp_path / "a" / "2.tif")
    return tmp_path


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_warnings_of_libtiff_and_pillow_become_one_note(
    folder: Path, capfd: pytest.CaptureFixture[str], workers: int
) -> None:
    notes: list[str] = []
    heard = LibraryWarnings(notes.append)
    read = read_batches(class_folders(folder), [[0], [1]], [WAY], workers=workers, heard=heard)
    with closing(read):
        assert [batch.failures for batch in read] == [(), ()]
    heard.say()
    heard.say()
    assert capfd.readouterr() == ("", "")
    (note,) = notes
    lines = int(note.split("in ")[1].split(" lines")[0])
    assert note.startswith(
        f"libraries that decode pictures warned of 2 pictures, in {lines} lines; what they could "
        "decode is used; the first: a/1.tif: Fax4Decode: "
    )
    assert 2 < lines < 60


def test_warning_of_pillow_is_told_with_its_picture(folder: Path) -> None:
    notes: list[str] = []
    heard = LibraryWarnings(notes.append)
    with closing(read_batches(class_folders(folder), [[1]], [WAY], workers=0, heard=heard)) as read:
        list(read)
    heard.say()
    (note,) = notes
    assert note == (
        "libraries that decode pictures warned of 1 picture, in 1 line; what they could decode is "
        f"used; the first: a/2.tif: {PILLOW_LINE}"
    )


def test_nothing_is_told_of_pictures_without_warnings() -> None:
    LibraryWarnings(pytest.fail).say()


def test_more_lines_than_a_pipe_holds_neither_wait_nor_count_as_all() -> None:
    listener = Listener()
    with listener.listening() as printed:
        for _ in range(5400):
            try:
                os.write(2, b"x" * 79 + b"\n")
            except BlockingIOError:
                continue
    assert printed.whole is False
    assert 700 < printed.lines < 900
    assert printed.first == "x" * 79
    with listener.listening() as after:
        os.write(2, b"one line\n")
    assert (after.lines, after.first, after.whole) == (1, "one line", True)


def test_first_line_is_cut_and_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    listener = Listener()
    notes: list[str] = []
    with listener.listening() as printed:
        os.write(2, b"\x1b[31m\xff" + b"y" * 5000)
    heard = LibraryWarnings(notes.append)
    heard.add("a.tif", printed)
    heard.say()
    assert "a.tif: \\x1b[31m\ufffdyyy" in notes[0]
    assert len(notes[0]) < 400
    assert capfd.readouterr().err == ""


def test_filters_and_descriptor_are_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    filters = list(warnings.filters)
    listener = Listener()
    with pytest.raises(ZeroDivisionError), listener.listening() as printed:
        _fail_and_print()
    assert (printed.lines, printed.first) == (2, "UserWarning: odd")
    with listener.listening() as after:
        pass
    assert after.lines == 0
    assert warnings.filters == filters
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def _fail_and_print() -> None:
    os.write(2, b"broken\n")
    warnings.warn("odd", stacklevel=1)
    raise ZeroDivisionError


def _crash(data: bytes) -> Picture:
    if data.startswith(b"II"):
        os.write(2, b"free(): invalid \x1b[1mpointer\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return decode_picture(data)


def test_last_words_of_a_reader_that_crashes_are_printed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images = class_folders(folder)
    images = type(images)(
        root=images.root,
        ids=images.ids,
        labels=images.labels,
        classes=images.classes,
        reader=images.reader,
        decode=_crash,
    )
    with (
        pytest.raises(DataError, match="was killed"),
        closing(read_batches(images, [[0]], [WAY], workers=1)) as read,
    ):
        list(read)
    assert not multiprocessing.active_children()
    assert "free(): invalid \\x1b[1mpointer\n" in capfd.readouterr().err


def test_readers_that_are_only_ended_print_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(read_batches(class_folders(folder), [[0], [1]] * 20, [WAY], workers=2)) as read:
        next(read)
    assert capfd.readouterr().err == ""
