"""What is tried on a device before it is relied on: how that may end, and how it is said."""

from subprocess import SubprocessError
from typing import Final

import torch

from resnext.errors import DeviceError

# What Triton, the C compiler that it calls, or a device without some type may end in.
FAILURES: Final = (
    AssertionError,
    AttributeError,
    DeviceError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SubprocessError,
    TypeError,
    ValueError,
)


def first_words(error: BaseException) -> str:
    """Return the first line of what an error says, or else what it is called."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def numbered(device: torch.device) -> torch.device:
    """Return a device by its number, where it is a GPU that was named without: the current one."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
