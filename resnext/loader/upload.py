"""Copy batches to a device, to a GPU in parallel with its computation."""

from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

import torch
from torch import Tensor

from resnext.pixels.raw_crops import RawCrops

Inputs = TypeVar("Inputs", Tensor, RawCrops)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival(Generic[Inputs]):
    """Inputs on a device, whose copy may still be in progress.

    Attributes:
        inputs: on the device.
        arrived: CUDA event at the end of the copy; None if the copy is complete.
    """

    inputs: Inputs
    arrived: torch.cuda.Event | None = None

    def take(self) -> Inputs:
        """Return the inputs; the current CUDA stream waits for the copy, this process does not."""
        if self.arrived is not None:
            stream = torch.cuda.current_stream(self.inputs.device)
            stream.wait_event(self.arrived)
            # They were allocated on another stream, which must not reuse their memory too early.
            self.inputs.record_stream(stream)
        return self.inputs


@cache
def upload_to(device: torch.device) -> "Upload":
    """Return the upload to a device, one for the whole process.

    PyTorch's allocator reuses memory only for the stream that it was allocated for: with a new
    stream for each epoch, the memory of all of them would stay reserved.
    """
    return Upload(device)


class Upload:
    """Copies batches to a device; to a GPU on a CUDA stream of its own.

    On the stream of the computation a copy would wait for the batch before it, and the computation
    then for the copy. Only copies from pinned memory run in parallel with other work.

    Attributes:
        device: the target.
        ahead: number of batches to send while one is computed: 0 where copies are synchronous.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ahead = 1 if device.type == "cuda" else 0
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def begin(self, inputs: Inputs) -> Arrival[Inputs]:
        """Start to copy a batch, and return without waiting for the copy to a GPU."""
        if self._stream is None:
            return Arrival(inputs=inputs.to(self.device))
        with torch.cuda.stream(self._stream):
            there = inputs.to(self.device, non_blocking=True)
            return Arrival(inputs=there, arrived=self._stream.record_event())
