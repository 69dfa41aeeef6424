"""Values that a device may still be computing, on their way back to the CPU."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingValues:
    """Float32 values, such as logits, that may still be on their way from a device.

    Attributes:
        values: on the CPU where `arrived` is set; else on the device that computes them.
        arrived: recorded once the values are complete; None where `wait` copies them itself.
    """

    values: Tensor
    arrived: torch.cuda.Event | None = None

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Start the copy of float32 values to the CPU, and return at once."""
        if values.device.type != "cuda":
            return cls(values=values)
        # The copy is queued right behind the computation, so that `wait` does not wait for work
        # that the GPU is given later. A blocking event leaves the processor to the loader.
        copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        copy.copy_(values, non_blocking=True)
        arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        arrived.record(torch.cuda.current_stream(values.device))
        return cls(values=copy, arrived=arrived)

    def wait(self) -> NDArray[np.float32]:
        """Return the values once they are complete."""
        if self.arrived is not None:
            self.arrived.synchronize()
        found: NDArray[np.float32] = self.values.cpu().numpy()
        return found
