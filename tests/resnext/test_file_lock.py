"""Locks on open files: one holder at a time, and none where the file system has none."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from resnext.file_lock import lock_file

# A process of its own: a record lock does not keep its own process out.
LOCK_AGAIN = (
    "import sys; from resnext.file_lock import lock_file\n"
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
