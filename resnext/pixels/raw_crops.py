"""What travels to a device that scales: of a whole batch, the bytes that its crops read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from resnext.pixels.transforms import RawCrop
from resnext.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawCrops:
    """What the crops of N pictures read, as tensors that go to a device together.

    Attributes:
        flat: (all bytes,) uint8, picture behind picture.
        starts: (N,) int64, where each begins.
        sizes: (N, 2) int64, height and width of what is read of each.
        firsts: (2, N, n) int64, for rows and for columns: the first of the four neighbours that
            each line of the crop reads; 0 is the one before the picture.
        fractions: (2, N, n) float32, how far beyond its second neighbour each line lies.
        preprocessing: the same of all.
    """

    flat: Tensor
    starts: Tensor
    sizes: Tensor
    firsts: Tensor
    fractions: Tensor
    preprocessing: Preprocessing

    @classmethod
    def of(cls, crops: Sequence[RawCrop], flat: Tensor | None = None) -> Self:
        """Put one or more pictures of one preprocessing behind each other.

        Args:
            crops: of one or more pictures.
            flat: (all bytes,) uint8, where they are put; None to allocate it.
        """
        shapes = np.array([each.pixels.shape[:2] for each in crops], np.int64)
        bytes_of = shapes.prod(axis=1) * 3
        if flat is None:
            flat = torch.empty(int(bytes_of.sum()), dtype=torch.uint8)
        np.concatenate([each.pixels.ravel() for each in crops], out=flat.numpy())
        taps = ([each.rows for each in crops], [each.columns for each in crops])
        firsts = np.array([[axis.first for axis in row] for row in taps], np.int64)
        fractions = np.array([[axis.fractions for axis in row] for row in taps], np.float32)
        return cls(
            flat=flat,
            starts=torch.from_numpy(np.cumsum(bytes_of) - bytes_of),
            sizes=torch.from_numpy(shapes),
            firsts=torch.from_numpy(firsts),
            fractions=torch.from_numpy(fractions),
            preprocessing=crops[0].preprocessing,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def first(self, count: int) -> Self:
        """Return the same of the first pictures only."""
        return replace(
            self,
            starts=self.starts[:count],
            sizes=self.sizes[:count],
            firsts=self.firsts[:, :count],
            fractions=self.fractions[:, :count],
        )

    @property
    def device(self) -> torch.device:
        """Return where it is."""
        return self.flat.device

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """Return the same on a device; see Tensor's."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    @property
    def nbytes(self) -> int:
        """Count the bytes of all of it."""
        return sum(tensor.nbytes for tensor in self._tensors())

    def record_stream(self, stream: torch.Stream) -> None:
        """Keep the memory until a stream has done what it was given up to then; see Tensor's."""
        for tensor in self._tensors():
            tensor.record_stream(stream)

    def share_memory_(self) -> Self:
        """Return the same in memory that other processes can read; see Tensor's."""
        return self._each(Tensor.share_memory_)

    def pin_memory(self) -> Self:
        """Return the same in memory that a GPU can read by itself."""
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
