"""Free memory, as the kernel tells of it, and clocks."""

import os
import time
from pathlib import Path

import pytest

from resnext.machine import (
    expected_device,
    free_memory,
    process_clock,
)

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


STAT = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 4 1 0 0 20 0 1 0 {ticks} 1 2 3"


def test_clock_counts_from_the_start_of_the_process_as_the_kernel_says(tmp_path: Path) -> None:
    hundredths = os.sysconf("SC_CLK_TCK")
    started = int((time.clock_gettime(time.CLOCK_BOOTTIME) - 5) * hundredths)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text(STAT.format(ticks=started))
    clock = process_clock(proc=tmp_path)
    assert 5 <= clock() < 6
    assert clock() <= clock()


@pytest.mark.parametrize(
    "text",
    ["", "7 (a) S 1", STAT.format(ticks="x"), STAT.format(ticks=0), STAT.format(ticks=10**15)],
    ids=["empty", "short", "no number", "not known", "in the future"],
)
def test_clock_counts_from_now_where_the_kernel_does_not_say(tmp_path: Path, text: str) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text(text)
    assert 0 <= process_clock(proc=tmp_path)() < 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("cpu", "cpu"), ("cuda:1", "cuda"), ("mps", "mps")],
    ids=["cpu", "gpu", "mps"],
)
def test_device_that_is_named_is_expected(tmp_path: Path, name: str, kind: str) -> None:
    assert expected_device(name, dev=tmp_path).type == kind


@pytest.mark.parametrize(
    ("there", "hidden", "build", "kind"),
    [
        (True, None, "2.13.0", "cuda"),
        (True, "0,1", "2.13.0+cu130", "cuda"),
        (True, "", "2.13.0", "cpu"),
        (True, "-1", "2.13.0", "cpu"),
        (True, None, "2.13.0+cpu", "cpu"),
        (False, None, "2.13.0", "cpu"),
    ],
    ids=["there", "chosen", "hidden", "none chosen", "a torch without", "no driver"],
)
def test_gpu_is_expected_where_its_driver_and_a_torch_for_it_are(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
    hidden: str | None,
    build: str,
    kind: str,
) -> None:
    monkeypatch.setattr("resnext.machine.version", {"torch": build}.__getitem__)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    if there:
        (tmp_path / "nvidiactl").touch()
    assert expected_device(None, dev=tmp_path).type == kind
