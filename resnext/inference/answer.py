"""What a device has computed, on its way back."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """Values that a device may still be computing.

    Attributes:
        values: float32, on their way.
        arrived: happens once they are whole; None where waiting for the device is all there is.
    """

    values: Tensor
    arrived: torch.cuda.Event | None = None

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Have float32 values sent once they are computed; return at once."""
        if values.device.type != "cuda":
            return cls(values=values)
        # Copied behind what computes them, so that nobody waits for what the GPU is given next, and
        # who waits leaves the processor to those that read.
        copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        copy.copy_(values, non_blocking=True)
        arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        arrived.record(torch.cuda.current_stream(values.device))
        return cls(values=copy, arrived=arrived)

    def wait(self) -> NDArray[np.float32]:
        """Return the values, once they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        found: NDArray[np.float32] = self.values.cpu().numpy()
        return found
