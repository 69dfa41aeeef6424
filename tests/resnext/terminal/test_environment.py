"""How threads wait, and where compiled code is kept, as the environment says it."""

from pathlib import Path

import pytest

from resnext.terminal.environment import keep_compiled_code, let_waiting_threads_sleep


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"HOME": "/"}, {"HOME": "/", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"KMP_BLOCKTIME": "200"}, {"KMP_BLOCKTIME": "200"}),
        ({"KMP_LIBRARY": "turnaround"}, {"KMP_LIBRARY": "turnaround"}),
    ],
    ids=["nothing", "standard", "gnu", "llvm", "intel"],
)
def test_threads_sleep_unless_the_user_says_how_they_wait(
    stated: dict[str, str], expected: dict[str, str]
) -> None:
    environment = dict(stated)
    let_waiting_threads_sleep(environment)
    assert environment == expected


def test_compiled_code_is_kept_in_the_users_cache_unless_it_is_stated_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment: dict[str, str] = {}
    keep_compiled_code(environment)
    folder = tmp_path / "cache" / "resnext" / "compiled"
    assert environment == {"TORCHINDUCTOR_CACHE_DIR": str(folder)}
    assert folder.is_dir()
    stated = {"TORCHINDUCTOR_CACHE_DIR": "/elsewhere"}
    keep_compiled_code(stated)
    assert stated == {"TORCHINDUCTOR_CACHE_DIR": "/elsewhere"}


def test_cache_that_cannot_be_written_is_not_used_for_compiled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    environment: dict[str, str] = {}
    keep_compiled_code(environment)
    assert environment == {}
