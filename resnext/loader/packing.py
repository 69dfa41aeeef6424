"""The network inputs of a batch in one piece of memory, which another process can map."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.transforms import RawCrop, crop_tables
from resnext.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from resnext.pixels.bicubic import Taps
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
    """What one preparation makes of the pictures of a batch, written to memory as they come.

    Args:
        most: pictures that may come.
        enlarge: returns memory of at least so many bytes, of which the first have what those of
            the memory that it returned before have: so many as its second argument says.
        usual: bytes that other batches took; 0 if there was none.
    """

    def __init__(
        self, most: int, enlarge: Callable[[int, int], NDArray[np.uint8]], *, usual: int = 0
    ) -> None:
        """Begin without memory."""
        self._most, self._enlarge, self._usual = most, enlarge, usual
        self._memory: NDArray[np.uint8] | None = None
        self._end = 0
        self._count = 0
        self._shape: tuple[int, ...] = ()
        self._preprocessing: Preprocessing | None = None
        self._shapes: list[tuple[int, int]] = []
        self._rows: list[Taps] = []
        self._columns: list[Taps] = []

    def __len__(self) -> int:
        """Count the pictures that came."""
        return self._count

    def add(self, made: Input) -> None:
        """Write what was made of the next picture: an array of one shape, or a raw crop."""
        tables = 0
        array: NDArray[Any]
        if isinstance(made, RawCrop):
            array, dtype = made.pixels, "uint8"
            self._preprocessing = made.preprocessing
            self._shapes.append(array.shape[:2])
            self._rows.append(made.rows)
            self._columns.append(made.columns)
            tables = len(self._rows) * _table_bytes(made) + 4 * ALIGNED
        else:
            array, dtype, self._shape = made, "float32", made.shape
        end = self._end + array.size * np.dtype(dtype).itemsize
        memory = self._room(end + tables)
        np.copyto(memory[self._end : end].view(dtype).reshape(array.shape), array)
        self._end = end
        self._count += 1

    def finish(self) -> Packing:
        """Write what belongs to all pictures, one or more, and return how everything lies."""
        if self._preprocessing is None:
            piece = Piece(dtype="float32", shape=(self._count, *self._shape), start=0)
            return Packing((piece,), None)
        pieces = [Piece(dtype="uint8", shape=(self._end,), start=0)]
        for table in crop_tables(self._shapes, self._rows, self._columns):
            start = -(-(pieces[-1].start + pieces[-1].size) // ALIGNED) * ALIGNED
            piece = Piece(dtype=table.dtype.name, shape=table.shape, start=start)
            piece.view(self._room(start + piece.size))[...] = table
            pieces.append(piece)
        return Packing(tuple(pieces), self._preprocessing)

    def tensors(self) -> "Tensor | RawCrops":
        """Finish, and return what lies in the memory, which is not copied."""
        return self.finish().tensors(self._room(0))

    def _room(self, size: int) -> NDArray[np.uint8]:
        """Return memory of at least `size` bytes; what is never written to takes no memory."""
        if self._memory is None:
            likely = self._usual or size * self._most
            self._memory = self._enlarge(max(size, likely + likely // 8), 0)
        elif size > len(self._memory):
            self._memory = self._enlarge(size + size // 2, self._end)
        return self._memory


def _table_bytes(crop: RawCrop) -> int:
    """Return how many bytes the tables of a raw crop take."""
    taps = len(crop.rows.fractions) + len(crop.columns.fractions)
    return 3 * np.dtype(np.int64).itemsize + taps * np.dtype("int64,float32").itemsize


class OwnMemory:
    """Memory of this process that can be enlarged."""

    def __init__(self) -> None:
        """Begin with none."""
        self._bytes = np.empty(0, np.uint8)

    def enlarge(self, size: int, used: int) -> NDArray[np.uint8]:
        """Return memory of `size` bytes, with the first `used` of what it was before."""
        larger = np.empty(size, np.uint8)
        larger[:used] = self._bytes[:used]
        self._bytes = larger
        return larger
