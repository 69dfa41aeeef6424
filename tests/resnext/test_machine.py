"""Free memory, as the kernel tells of it, and how threads wait."""

from pathlib import Path

import pytest

from resnext.machine import free_memory, let_waiting_threads_sleep

MIB = 1 << 20
MEMINFO = (
    "MemTotal: 8192 kB\nMemAvailable:    4096 kB\nHugePages_Total:       0\nSwapFree: 1024 kB\n"
)


@pytest.fixture
def kernel(tmp_path: Path) -> dict[str, Path]:
    """Return folders with a kernel's files: 5 MiB are free, and there are no control groups."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(MEMINFO)
    (tmp_path / "groups").mkdir()
    return {"proc": tmp_path / "proc", "cgroups": tmp_path / "groups"}


def limit(folder: Path, names: tuple[str, str], most: str, used: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


def test_memory_and_swap_are_free(kernel: dict[str, Path]) -> None:
    assert free_memory(**kernel) == 5 * MIB


V2 = ("memory.max", "memory.current")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


@pytest.mark.parametrize("place", ["", "jobs", "jobs/one"])
def test_limit_of_a_group_or_of_one_above_it_counts(kernel: dict[str, Path], place: str) -> None:
    (kernel["proc"] / "self" / "cgroup").write_text("0::/jobs/one\n")
    for name in ("", "jobs", "jobs/one"):
        limit(kernel["cgroups"] / name, V2, "max", 7 * MIB, "anon 5\ninactive_file 0\n")
    stat = f"anon 5\ninactive_file {MIB}\n"
    limit(kernel["cgroups"] / place, V2, str(4 * MIB), 3 * MIB, stat)
    assert free_memory(**kernel) == 2 * MIB


def test_limit_of_the_first_kind_of_groups_counts(kernel: dict[str, Path]) -> None:
    (kernel["proc"] / "self" / "cgroup").write_text("4:cpu,cpuacct:/a\n7:memory:/b\n")
    stat = f"total_inactive_file {MIB // 2}\n"
    limit(kernel["cgroups"] / "memory" / "b", V1, str(4 * MIB), 3 * MIB, stat)
    assert free_memory(**kernel) == MIB + MIB // 2


def test_nothing_is_told_where_the_kernel_tells_nothing(tmp_path: Path) -> None:
    assert free_memory(proc=tmp_path, cgroups=tmp_path) is None


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
