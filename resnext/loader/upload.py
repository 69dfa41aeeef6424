"""Batches on their way to a device."""

from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

import torch
from torch import Tensor

from resnext.pixels.raw_crops import RawCrops

Inputs = TypeVar("Inputs", Tensor, RawCrops)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival(Generic[Inputs]):
    """Inputs that may still be on their way.

    Attributes:
        inputs: on the device.
        arrived: happens on a GPU once they are whole; None where they are.
    """

    inputs: Inputs
    arrived: torch.cuda.Event | None = None

    def take(self) -> Inputs:
        """Return the inputs, for what is computed from here on; the GPU waits, not this process."""
        if self.arrived is not None:
            stream = torch.cuda.current_stream(self.inputs.device)
            stream.wait_event(self.arrived)
            # They were made on another stream, which must not use their memory again too early.
            self.inputs.record_stream(stream)
        return self.inputs


@cache
def upload_to(device: torch.device) -> "Upload":
    """Return the way to a device, one for the whole process.

    What was allocated for one stream is of no use to another: with a new one for each epoch the
    memory of all of them would stay in the allocator's hands.
    """
    return Upload(device)


class Upload:
    """The way to a device; to a GPU it is beside what that computes.

    Copied on the stream that computes, a batch would wait for the one in front of it, and the GPU
    then for the batch. Only pinned memory is copied while other work goes on.

    Attributes:
        device: where batches go.
        ahead: how many more than the one that is computed are worth sending: none where a copy is
            waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ahead = 1 if device.type == "cuda" else 0
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def begin(self, inputs: Inputs) -> Arrival[Inputs]:
        """Send a batch; return at once."""
        if self._stream is None:
            return Arrival(inputs=inputs.to(self.device))
        with torch.cuda.stream(self._stream):
            there = inputs.to(self.device, non_blocking=True)
            return Arrival(inputs=there, arrived=self._stream.record_event())
