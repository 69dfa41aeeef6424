"""The arithmetic of a network: its device, its precision, and what decides its rounding."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import shorten
from typing import Final

import torch
from torch import nn

from resnext.errors import DeviceError
from resnext.machine import Precision as Precision  # where it is looked for
from resnext.machine import keep_freed_memory, usual_threads

SLOWER: Final = 1.2  # times as long as in fp32 is worth a note: less may be chance
REASON: Final = 120  # characters of a PyTorch message that are quoted, at most

DTYPES: Final = {
    Precision.FP32: torch.float32,
    Precision.TF32: torch.float32,
    Precision.BF16: torch.bfloat16,
    Precision.FP16: torch.float16,
}


@contextmanager
def arithmetic(precision: Precision, *, deterministic: bool = True) -> Iterator[None]:
    """Set how this process computes float32 until the block ends.

    By default PyTorch uses TF32 in convolutions, and lets cuDNN choose algorithms by speed, which
    changes the last digits from run to run.

    Args:
        precision: TF32 is used only if it is asked for.
        deterministic: cuDNN gives the same bits in each run; else it chooses its fastest way.
    """
    tf32 = precision is Precision.TF32
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=not deterministic, deterministic=deterministic, allow_tf32=tf32
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def find_device(name: str | None) -> torch.device:
    """Return the device of a name such as "cuda:1"; the best there is for None.

    A GPU that is named becomes the current one of this process: NCCL uses the current one, and
    nothing is then placed on another by accident.

    Raises:
        DeviceError: no device has this name, or this machine has none of the kind.
    """
    if name is None:
        kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return torch.device(next((kind for kind, there in kinds.items() if there), "cpu"))
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
    # AssertionError, ImportError: a torch built without CUDA or without an optional package.
    except (RuntimeError, AssertionError, ImportError) as error:
        # Only the first sentence: PyTorch goes on with a list of all device names that it knows.
        reason = shorten(re.split(r"\. |\n", str(error))[0], REASON, placeholder=" ...")
        raise DeviceError(
            f"device {name!r}: cpu, cuda, cuda:N or mps expected, as this machine has it; {reason}"
        ) from error
    return device


def numbered(device: torch.device) -> torch.device:
    """Return a device with its number: a GPU named without one is the current GPU."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device supports a precision.

    Raises:
        DeviceError: it does not.
    """
    if precision is Precision.TF32 and device.type != "cuda":
        raise DeviceError(f"--precision tf32: an NVIDIA GPU expected, found {device}; use fp32")


def precision_note(
    precision: Precision,
    device: torch.device,
    *,
    measure: Callable[[torch.dtype], float] | None = None,
) -> str | None:
    """Return a note where a processor takes longer in a precision than in fp32; else None.

    Instructions for a type do not make it fast: a Xeon with those of AVX-512 for bfloat16, but not
    with AMX, takes twice as long as in float32, and one without them ten times.

    Args:
        precision: of the network.
        device: where it computes; only a CPU is measured.
        measure: returns the seconds of a block in a type; by default `block_seconds`.
    """
    if device.type != "cpu" or precision not in (Precision.BF16, Precision.FP16):
        return None
    measure = measure or block_seconds
    slower = measure(DTYPES[precision]) / measure(torch.float32)
    if slower < SLOWER:
        return None
    return f"--precision {precision}: this processor takes {slower:.1f} times as long as in fp32"


def block_seconds(dtype: torch.dtype) -> float:
    """Return how long the convolutions of a block of ResNeXt-50 take here, at best, in seconds."""
    shapes = ((256, 128, 1, 1), (128, 128, 3, 32), (128, 256, 1, 1))
    layers = [nn.Conv2d(i, o, k, padding=k // 2, groups=g, dtype=dtype) for i, o, k, g in shapes]
    block = nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.ones(1, 256, 28, 28, dtype=dtype).contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(4):  # the first one prepares the others
            begin = time.perf_counter()
            block(x)
            times.append(time.perf_counter() - begin)
    return min(times)


def use_processors(*, processes: int) -> None:
    """Give this process its share of the CPU cores, and let it keep memory that it has freed.

    Args:
        processes: of the job, on this machine.
    """
    keep_freed_memory()
    threads = usual_threads(processes=processes)
    if threads is not None:
        torch.set_num_threads(threads)
