"""Files that are read within a bound, locked, and appear whole or not at all."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnext.errors import DataError
from resnext.files import lock_file, open_plain, read_once, whole_file, whole_folder


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with whole_file(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("name", ["x.safetensors", "x" * 255, "\U0001f41c" * 63])
def test_half_a_file_says_what_it_becomes(tmp_path: Path, name: str) -> None:
    with whole_file(tmp_path / name):
        (half,) = tmp_path.iterdir()
        assert half.match(f".{name[:40]}*.????????.part")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_file_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with whole_file(tmp_path / "x") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_older_file_survives_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="stop"), whole_file(path):
        raise ValueError("stop")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_where_a_folder_has_the_name(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir()
    with pytest.raises(OSError, match="directory") as caught, whole_file(path) as file:
        file.write(b"content")
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "none" / "x"
    with pytest.raises(FileNotFoundError) as caught, whole_file(path):
        pass
    assert caught.value.filename == str(path)


def test_missing_source_is_named_and_not_the_target(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "x") as file:
        file.write(source.read_bytes())
    assert caught.value.filename == str(source)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_names_the_target(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(OSError, match="No space") as caught, whole_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)


def test_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with whole_file(tmp_path / "x"):
        pass
    assert (tmp_path / "x").stat().st_mode == ordinary.stat().st_mode


def test_umask_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "x"):
            pass
        assert os.umask(0o027) == 0o027
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_pipe_to_which_nobody_writes_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels")
    with pytest.raises(DataError, match=r"labels: a file expected, found a pipe to which nobody"):
        read_once(tmp_path / "labels", DataError, most=1, patience=0.1)


def test_text_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("12345")
    with pytest.raises(DataError, match=r"x.csv: a text of at most 4 bytes expected, found more"):
        read_once(tmp_path / "x.csv", DataError, most=4)


def test_folder_and_missing_file_are_named_where_a_text_is_read(tmp_path: Path) -> None:
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "no", FileNotFoundError)):
        with pytest.raises(error) as caught:
            read_once(path, DataError, most=4)
        assert caught.value.filename == str(path)


def test_pipe_and_device_are_no_plain_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    for path, kind in ((tmp_path / "x", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(DataError) as caught:
            open_plain(path, DataError)
        assert str(caught.value) == (
            f"{path}: a file on disk expected, found {kind}; save what comes from there in a file, "
            "and name that"
        )


# Locks: one holder at a time, and none where the file system has none

# A process of its own: a record lock does not keep its own process out.
LOCK_AGAIN = (
    "import sys; from resnext.files import lock_file\n"
    "with open(sys.argv[1], 'a') as file:\n"
    "    try: print(lock_file(file.fileno(), by_process=True))\n"
    "    except BlockingIOError: print('locked')"
)


def locked_again(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOCK_AGAIN, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_lock_of_a_process_keeps_another_process_out_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a") as file:
        assert lock_file(file.fileno(), by_process=True)
        assert locked_again(path) == "locked"
    assert locked_again(path) == "True"


def test_lock_of_a_descriptor_keeps_another_descriptor_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a") as file, path.open("a") as other:
        assert lock_file(file.fileno(), by_process=False)
        with pytest.raises(BlockingIOError):
            lock_file(other.fileno(), by_process=False)


@pytest.mark.parametrize("name", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, name), "no locks")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with (tmp_path / "lock").open("a") as file:
        assert not lock_file(file.fileno(), by_process=True)


def test_lock_that_is_refused_for_rights_is_held_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # as POSIX allows for a held lock

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with (tmp_path / "lock").open("a") as file, pytest.raises(BlockingIOError):
        lock_file(file.fileno(), by_process=True)


# A folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole_folder_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.mkdir()
    (path / "old").touch()

    def interrupted() -> None:
        with whole_folder(path) as folder:
            (folder / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (names(tmp_path), names(path)) == (["some"], ["old"])


def test_whole_folder_name_not_taken_gives_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)

    def replaced() -> None:
        with whole_folder(path) as folder:
            (folder / "new").touch()

    with pytest.raises(OSError, match="Input/output error"):
        replaced()
    assert (names(tmp_path), names(path)) == (["some"], ["old"])


def test_whole_folder_over_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/old").touch()
    (tmp_path / "some").symlink_to(tmp_path / "real")

    with whole_folder(tmp_path / "some") as folder:
        (folder / "new").touch()

    assert names(tmp_path) == ["real", "some"]
    assert (names(tmp_path / "some"), names(tmp_path / "real")) == (["new"], ["old"])


def test_whole_folder_is_readable_by_the_same_people_as_any(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    with whole_folder(tmp_path / "some"):
        pass

    assert (tmp_path / "some").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_whole_folder_error_of_a_file_inside_names_the_folder(tmp_path: Path) -> None:
    def failing() -> None:
        with whole_folder(tmp_path / "some") as folder:
            raise OSError(28, "No space left on device", str(folder / "model.safetensors"))

    with pytest.raises(OSError, match="No space left") as caught:
        failing()
    assert caught.value.filename == str(tmp_path / "some")


def test_whole_folder_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    def failing() -> None:
        with whole_folder(tmp_path / "some"):
            (tmp_path / "other").open()

    with pytest.raises(FileNotFoundError) as caught:
        failing()
    assert caught.value.filename == str(tmp_path / "other")
