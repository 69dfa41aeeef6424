"""A batch of raw crops: the pixels that a device needs to scale and normalise a batch by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.pixels.transforms import RawCrop, crop_tables
from resnext.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class RawCrops:
    """The raw crops of N pictures, as tensors that are copied to a device together.

    Attributes:
        flat: (total bytes,) uint8, the pixels of one crop behind those of another.
        starts: (N,) int64, where each crop begins in `flat`.
        sizes: (N, 2) int64, height and width of each raw crop.
        firsts: (2, N, n) int64, for rows and for columns: the first of the four taps of each line
            of the scaled crop, where 0 is the line before the raw crop; see `Taps`.
        fractions: (2, N, n) float32, distance of each line from its second tap.
        preprocessing: common to all.
    """

    flat: Tensor
    starts: Tensor
    sizes: Tensor
    firsts: Tensor
    fractions: Tensor
    preprocessing: Preprocessing

    @classmethod
    def of(cls, crops: Sequence[RawCrop]) -> Self:
        """Combine the raw crops of one or more pictures of one preprocessing."""
        shapes = [each.pixels.shape[:2] for each in crops]
        rows, columns = ([each.rows for each in crops], [each.columns for each in crops])
        flat = np.concatenate([each.pixels.reshape(-1) for each in crops])
        arrays = (flat, *crop_tables(shapes, rows, columns))
        return cls.from_arrays(arrays, crops[0].preprocessing)

    @classmethod
    def from_arrays(cls, arrays: Sequence[NDArray[Any]], preprocessing: Preprocessing) -> Self:
        """Return what lies in five arrays, in the order of the attributes; they are not copied."""
        flat, starts, sizes, firsts, fractions = map(torch.from_numpy, arrays)
        return cls(flat, starts, sizes, firsts, fractions, preprocessing)

    def __len__(self) -> int:
        return len(self.starts)

    def first(self, count: int) -> Self:
        """Return the raw crops of the first pictures only."""
        return replace(
            self,
            starts=self.starts[:count],
            sizes=self.sizes[:count],
            firsts=self.firsts[:, :count],
            fractions=self.fractions[:, :count],
        )

    @property
    def device(self) -> torch.device:
        """Return the device of the tensors."""
        return self.flat.device

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """Return a copy on a device; see `Tensor.to`."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    @property
    def nbytes(self) -> int:
        """Return the size of all tensors in bytes."""
        return sum(tensor.nbytes for tensor in self._tensors())

    def record_stream(self, stream: torch.Stream) -> None:
        """Keep the memory until a stream's present work is done; see `Tensor.record_stream`."""
        for tensor in self._tensors():
            tensor.record_stream(stream)

    def pin_memory(self) -> Self:
        """Return a copy in pinned memory, from which a GPU copies by itself."""
        return self._each(Tensor.pin_memory)

    def _tensors(self) -> tuple[Tensor, ...]:
        return self.flat, self.starts, self.sizes, self.firsts, self.fractions

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            flat=change(self.flat),
            starts=change(self.starts),
            sizes=change(self.sizes),
            firsts=change(self.firsts),
            fractions=change(self.fractions),
        )
