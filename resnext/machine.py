"""What the machine is, and what suits it where nobody says otherwise."""

import ctypes
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

PACKAGES: Final = ("resnext", "torch", "numpy", "Pillow", "simplejpeg", "safetensors")

# Images that are decided at once, by the kind of device.
BATCH_SIZES: Final = {"cpu": 16, "cuda": 128, "mps": 64}
MOST_WORKERS: Final = 16

# Of <malloc.h>: how many pieces are mapped on their own, which size they have at least, and how
# much is kept at the heap's end.
M_MMAP_MAX: Final = -4
M_MMAP_THRESHOLD: Final = -3
M_TRIM_THRESHOLD: Final = -1
MMAP_MAX: Final = 65536  # glibc's own
LARGE: Final = 32 << 20  # the most that glibc takes for that size
KEPT: Final = 256 << 20


def usual_batch_size(device: "torch.device") -> int:
    """Return how many images are decided at once."""
    return BATCH_SIZES.get(device.type, BATCH_SIZES["cpu"])


def usual_workers(device: "torch.device", *, processes: int) -> int:
    """Return how many processes read images.

    On the CPU one keeps up with any network of the family; a GPU is fed by all processors that the
    machine's processes of the job can share.

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
    """Return how many threads compute, or None where PyTorch's own choice is right.

    It takes every processor, so several processes of a job would wait for each other's threads.

    Args:
        processes: of the job, on this machine.
    """
    if processes == 1 or "OMP_NUM_THREADS" in os.environ:  # which torchrun sets to 1
        return None
    return max(cores() // processes, 1)


def keep_freed_memory() -> None:
    """Let the C library keep, for this process, what it would give back to the system.

    glibc maps large memory anew each time it is asked for, and every page of it costs a fault. The
    layers of a network write tens of megabytes each, and are faster on a CPU with memory that was
    there before (`benchmarks/network.py`). Elsewhere than in glibc nothing happens.
    """
    if glibc := _glibc():
        glibc.mallopt(M_MMAP_MAX, 0)
        glibc.mallopt(M_TRIM_THRESHOLD, -1)


def keep_some_freed_memory() -> None:
    """Let the C library keep, for this process, what pictures leave, but none that is huge.

    By default it gives back what a picture leaves, and asks for it again for the next one.
    """
    if glibc := _glibc():
        glibc.mallopt(M_MMAP_MAX, MMAP_MAX)
        glibc.mallopt(M_MMAP_THRESHOLD, LARGE)
        glibc.mallopt(M_TRIM_THRESHOLD, KEPT)


def release_freed_memory() -> None:
    """Let the C library give back, once, what it keeps: before a process forks.

    What is freed at that moment would be copied, page by page, when this process uses it again.
    """
    if glibc := _glibc():
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def versions(device: "torch.device") -> dict[str, str]:
    """Return what numbers are made with: packages, system, processor, device."""
    import torch

    found = {"python": platform.python_version()}
    found |= {package: version(package) for package in PACKAGES}
    found |= {"system": platform.platform(), "processor": _processor()}
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
