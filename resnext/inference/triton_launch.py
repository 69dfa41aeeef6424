"""Kernels of Triton on the device that their arguments are on."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
import triton

from resnext.errors import DeviceError

OPTIONS = {"enable_fp_fusion": False}  # of the compiler: no product joins a sum


@contextmanager
def launching(device: torch.device) -> Iterator[None]:
    """Make a GPU the one that Triton launches on; its interpreter works on the CPU.

    Raises:
        DeviceError: Triton cannot compile or run a kernel there.
    """
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    except triton.TritonError as error:  # derived from none of Python's
        raise DeviceError(f"{device}: Triton: {error}") from error
