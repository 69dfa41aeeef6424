"""This machine: its defaults for batches, processes and memory, and its description in reports."""

import ctypes
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import torch

PACKAGES: Final = ("resnext", "torch", "numpy", "Pillow", "simplejpeg", "safetensors")

# Where this project lies: a checkout, or the folder of installed packages.
ROOT: Final = Path(__file__).resolve().parents[1]

# Images in a batch, by the type of the device.
BATCH_SIZES: Final = {"cpu": 16, "cuda": 128, "mps": 64}
MOST_WORKERS: Final = 16

# Parameters of mallopt, from <malloc.h>: the number of blocks that are mapped separately, the size
# from which a block is, and how much free memory stays at the end of the heap.
M_MMAP_MAX: Final = -4
M_MMAP_THRESHOLD: Final = -3
M_TRIM_THRESHOLD: Final = -1
MMAP_MAX: Final = 65536  # glibc's default
LARGE: Final = 32 << 20  # the largest threshold that glibc accepts
KEPT: Final = 256 << 20


def process_clock(*, proc: Path = Path("/proc")) -> Callable[[], float]:
    """Return a clock: the seconds since this process was started, or else since this call.

    The kernel says when, in hundredths of a second: what Python did before its first line counts.

    Args:
        proc: where the kernel tells of processes.
    """
    started = time.monotonic()
    with suppress(OSError, ValueError, LookupError, AttributeError):
        # The name in parentheses may hold spaces; the time, in ticks since the machine started, is
        # the 20th field behind it.
        fields = (proc / "self" / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        ticks = int(fields[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        if ticks and age >= 0:
            started -= age
    return lambda: time.monotonic() - started


class Precision(StrEnum):
    """The arithmetic of a network.

    FP32 is the published one. TF32 rounds the factors of fp32 products to 10 bits on NVIDIA's
    tensor cores; BF16 and FP16 compute in that type, batch norm folded in beforehand.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"


class DeviceKind(Protocol):
    """What a default depends on: a `torch.device`, or the `ExpectedDevice` one."""

    @property
    def type(self) -> str:
        """Return "cpu", "cuda", "mps" or the like."""


@dataclass(frozen=True, slots=True)
class ExpectedDevice:
    """The device that will probably be used, as far as that is known without torch.

    Attributes:
        type: "cpu", "cuda", "mps" or the like.
    """

    type: str


def expected_device(name: str | None, *, dev: Path = Path("/dev")) -> ExpectedDevice:
    """Return what the device of a name such as "cuda:1" is, and for None what is probably there.

    Args:
        name: as the user gave it.
        dev: where the system has its devices.
    """
    if name is not None:
        return ExpectedDevice(name.partition(":")[0])
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if (dev / "nvidiactl").exists() and not hidden and not version("torch").endswith("+cpu"):
        return ExpectedDevice("cuda")
    return ExpectedDevice("mps" if sys.platform == "darwin" else "cpu")


def usual_batch_size(device: DeviceKind, *, crops: int = 1) -> int:
    """Return the default batch size of a device: in images, of about as many crops."""
    return max(BATCH_SIZES.get(device.type, BATCH_SIZES["cpu"]) // crops, 1)


def usual_workers(device: DeviceKind, *, processes: int) -> int:
    """Return the default number of processes that read images.

    On the CPU one process keeps up with any network of the family. For a GPU the job's processes on
    this machine share all its processors.

    Args:
        device: of the network.
        processes: of the job, on this machine.
    """
    return 1 if device.type == "cpu" else min(max(cores() // processes, 1), MOST_WORKERS)


def cores() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usual_threads(*, processes: int) -> int | None:
    """Return how many threads PyTorch should compute with, or None to leave that to PyTorch.

    PyTorch takes every processor, so several processes of a job would compete for them.

    Args:
        processes: of the job, on this machine.
    """
    if processes == 1 or "OMP_NUM_THREADS" in os.environ:  # which torchrun sets to 1
        return None
    return max(cores() // processes, 1)


def free_memory(
    *, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the bytes that this process can still take: of the machine, and of its own limits.

    Limits are those of control groups, by which containers and schedulers end a process that takes
    more. Memory that holds files only counts as free.

    Args:
        proc, cgroups: where the kernel tells of itself.

    Returns:
        None where the system does not tell.
    """
    found = []
    with suppress(OSError, ValueError, LookupError):
        rows = map(str.split, (proc / "meminfo").read_text().splitlines())
        kilobytes = {row[0]: int(row[1]) for row in rows}
        found.append((kilobytes["MemAvailable:"] + kilobytes["SwapFree:"]) << 10)
    for folder in _control_groups(proc, cgroups):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(OSError, ValueError):  # "max" where there is no limit
                left = int((folder / limit).read_text()) - int((folder / usage).read_text())
                found.append(max(left + _file_bytes(folder / "memory.stat"), 0))
    return min(found, default=None)


def _control_groups(proc: Path, cgroups: Path) -> list[Path]:
    """Return the folders of the control groups that limit this process, its own and those above."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if number == "0" or "memory" in kinds.split(","):
            top = cgroups if number == "0" else cgroups / "memory"
            own = top / path.lstrip("/")
            found += [own, *(above for above in own.parents if above.is_relative_to(top))]
    return found


def _file_bytes(path: Path) -> int:
    """Return how much of a control group's memory holds files that can be read again."""
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
        return int(rows.get("total_inactive_file", rows.get("inactive_file", 0)))
    except (OSError, ValueError):
        return 0


def keep_freed_memory() -> None:
    """Let glibc keep all memory that this process frees, instead of returning it to the system.

    By default glibc maps each large block anew, which costs a page fault for every page. The layers
    of a network write tens of megabytes each, and are faster on a CPU in memory that is mapped
    already (`benchmarks/network.py`). With another C library nothing happens.
    """
    if glibc := _glibc():
        glibc.mallopt(M_MMAP_MAX, 0)
        glibc.mallopt(M_TRIM_THRESHOLD, -1)


def keep_some_freed_memory() -> None:
    """Let glibc keep the memory of freed images, but return very large blocks to the system.

    By default glibc returns the memory of one image and requests it again for the next one.
    """
    if glibc := _glibc():
        glibc.mallopt(M_MMAP_MAX, MMAP_MAX)
        glibc.mallopt(M_MMAP_THRESHOLD, LARGE)
        glibc.mallopt(M_TRIM_THRESHOLD, KEPT)


def release_freed_memory() -> None:
    """Let glibc return, once, the free memory that it keeps; call this before a process forks.

    Free pages that the child shares would be copied, one by one, when this process reuses them.
    """
    if glibc := _glibc():
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def versions(device: "torch.device") -> dict[str, str]:
    """Return what the results depend on: versions of packages, system, processor, device."""
    import torch

    found = {"python": platform.python_version()}
    found |= {package: version(package) for package in PACKAGES}
    found |= {"system": platform.platform(), "processor": _processor()}
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return found


def commit(root: Path = ROOT) -> str | None:
    """Return the commit that runs, with "-dirty" where files differ from it.

    Returns:
        None where the project is no checkout of its own, or there is no git.
    """
    if not (root / ".git").exists():
        return None
    changes = ("status", "--porcelain", "--untracked-files=no")
    with suppress(OSError, subprocess.SubprocessError):
        head, changed = (_git(root, *words) for words in (("rev-parse", "HEAD"), changes))
        return head + ("-dirty" if changed else "")
    return None


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - the words are those above
        ["git", "--no-optional-locks", "-C", str(root), *words],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
