"""What a report says of the machine and the options it was made with."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from validate.options import Config

if TYPE_CHECKING:
    import torch

    from resnext.distributed import Job

PACKAGES: Final = ("resnext", "torch", "numpy", "Pillow", "simplejpeg", "safetensors")

# Images of a batch, by the kind of device, where nobody says otherwise.
BATCH_SIZES: Final = {"cpu": 16, "cuda": 128, "mps": 64}
MOST_WORKERS: Final = 16


def settings(config: Config, device: "torch.device", job: "Job") -> dict[str, object]:
    """Return every option as it is used, ready for JSON.

    On the CPU one process that reads keeps up with any network of the family; a GPU is fed by all
    processors that the machine's processes of the job can share.
    """
    import torch

    from resnext.inference import ARITHMETIC_FLAGS

    on_cpu = device.type == "cpu"
    usual = 1 if on_cpu else min(max(cores() // job.local_size, 1), MOST_WORKERS)
    workers = usual if config.workers is None else config.workers
    return {
        "device": str(device) if job.size == 1 else device.type,
        "precision": config.precision,
        "tf32": config.precision == "tf32",
        **ARITHMETIC_FLAGS,
        "pipelines": [str(pipeline) for pipeline in config.pipelines],
        "crops": config.crops,
        "batch_size": config.batch_size or BATCH_SIZES.get(device.type, BATCH_SIZES["cpu"]),
        "workers": workers,
        "threads": torch.get_num_threads(),
        "processes": job.size,
        "limit": config.limit,
        "seed": config.seed,
        "compare_precision": config.compare_precision,
        "canary": config.canary,
    }


def cores() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions(device: "torch.device") -> dict[str, str]:
    """Return what the numbers were made with: packages, system, processor, device."""
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
