"""The network inputs of a batch in one piece of memory, which another process can map."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.joined import Joined, joined
from resnext.pixels.transforms import RawCrop
from resnext.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from resnext.pixels.raw_crops import RawCrops

ALIGNED: Final = 64

# What a preparation makes of one image.
Input = NDArray[np.float32] | RawCrop


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Where an array lies in a piece of memory.

    Attributes:
        dtype: of its numbers, as NumPy writes it.
        shape: size of each axis.
        start: its first byte.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    def view(self, memory: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the array that lies in a memory (bytes,)."""
        return memory[self.start : self.start + self.size].view(self.dtype).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Packing:
    """How what one preparation made of some images lies in memory; picklable.

    Attributes:
        pieces: one of float32 inputs; or those of raw crops, in the order of `RawCrops`.
        preprocessing: of raw crops; None for inputs.
    """

    pieces: tuple[Piece, ...]
    preprocessing: Preprocessing | None

    @property
    def size(self) -> int:
        """Return how many bytes of memory it takes."""
        return max(piece.start + piece.size for piece in self.pieces)

    def tensors(self, memory: NDArray[np.uint8]) -> "Tensor | RawCrops":
        """Return what lies in a memory (bytes,), which is not copied."""
        import torch

        from resnext.pixels.raw_crops import RawCrops

        arrays = [piece.view(memory) for piece in self.pieces]
        if self.preprocessing:
            return RawCrops.from_arrays(arrays, self.preprocessing)
        return torch.from_numpy(arrays[0])


class Column:
    """What one preparation made of one or more images, ready to be packed.

    Args:
        made: arrays of one shape, or raw crops of one preprocessing.
    """

    def __init__(self, made: Sequence[Input]) -> None:
        """Find out how much memory it takes."""
        crops = [each for each in made if isinstance(each, RawCrop)]
        arrays = [each for each in made if not isinstance(each, RawCrop)]
        if crops:
            self._arrays = joined(crops)
        else:
            self._arrays = [Joined("float32", (len(arrays), *arrays[0].shape), arrays)]
        pieces: list[Piece] = []
        start = 0
        for each in self._arrays:
            pieces.append(Piece(dtype=each.dtype, shape=each.shape, start=start))
            start += -(-pieces[-1].size // ALIGNED) * ALIGNED
        self.packing = Packing(tuple(pieces), crops[0].preprocessing if crops else None)

    def pack(self, memory: NDArray[np.uint8]) -> None:
        """Write it to a memory (bytes,) of at least the size of its packing."""
        for piece, array in zip(self.packing.pieces, self._arrays, strict=True):
            array.write(piece.view(memory))


def packed(made: Sequence[Input], memory: NDArray[np.uint8] | None = None) -> "Tensor | RawCrops":
    """Return what a preparation made of one or more images as one, in memory of this process."""
    column = Column(made)
    memory = np.empty(column.packing.size, np.uint8)
    column.pack(memory)
    return column.packing.tensors(memory)
