"""What the machine is, and what suits it where nobody says otherwise."""

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
