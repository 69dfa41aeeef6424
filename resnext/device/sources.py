"""The exact pixels on a GPU: processes that read hand over bytes, the device scales and normalises.

The arithmetic is that of `bicubic`, operation by operation, for a whole batch of pictures of all
sizes. Run as it stands, every bit is the same; compiled for a device whose compiler joins a product
and a sum into one rounding, values differ by less than 1e-6.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import numpy as np
import torch
from torch import Tensor

from resnext.data.transforms import Source, levels_of
from resnext.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sources:
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
    def of(cls, sources: Sequence[Source]) -> Self:
        """Put one or more pictures of one preprocessing behind each other."""
        shapes = np.array([each.pixels.shape[:2] for each in sources], np.int64)
        bytes_of = shapes.prod(axis=1) * 3
        flat = np.concatenate([each.pixels.ravel() for each in sources])
        taps = ([each.rows for each in sources], [each.columns for each in sources])
        firsts = np.array([[axis.first for axis in row] for row in taps], np.int64)
        fractions = np.array([[axis.fractions for axis in row] for row in taps], np.float32)
        return cls(
            flat=torch.from_numpy(flat),
            starts=torch.from_numpy(np.cumsum(bytes_of) - bytes_of),
            sizes=torch.from_numpy(shapes),
            firsts=torch.from_numpy(firsts),
            fractions=torch.from_numpy(fractions),
            preprocessing=sources[0].preprocessing,
        )

    def first(self, count: int) -> Self:
        """Return the same of the first pictures only."""
        return replace(
            self,
            starts=self.starts[:count],
            sizes=self.sizes[:count],
            firsts=self.firsts[:, :count],
            fractions=self.fractions[:, :count],
        )

    def to(self, device: torch.device) -> Self:
        """Return the same on a device; copied while other work goes on if it was pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Return the same in memory that a GPU can read by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            flat=change(self.flat),
            starts=change(self.starts),
            sizes=change(self.sizes),
            firsts=change(self.firsts),
            fractions=change(self.fractions),
        )


def scale_sources(sources: Sources) -> Tensor:
    """Return the crops of pictures (N, 3, n, n) float32, on the device of the sources."""
    device = sources.flat.device
    unit, shift, divisor = _levels(sources.preprocessing, device)
    scale = _compiled() if device.type == "cuda" else _scale
    return scale(
        sources.flat,
        sources.starts,
        sources.sizes,
        sources.firsts,
        sources.fractions,
        unit,
        shift,
        divisor,
    )


@cache
def _levels(preprocessing: Preprocessing, device: torch.device) -> tuple[float, Tensor, Tensor]:
    """Return what normalises, on a device: small copies, for which a GPU would be waited for."""
    levels = levels_of(preprocessing)
    shift, divisor = (
        torch.from_numpy(values).to(device)[:, None, None]
        for values in (levels.shift, levels.divisor)
    )
    return float(levels.unit), shift, divisor


@cache
def _compiled() -> Callable[..., Tensor]:
    """Return `_scale` as one kernel, for batches and pictures of any size."""
    return torch.compile(_scale, dynamic=True)


def _scale(
    flat: Tensor,
    starts: Tensor,
    sizes: Tensor,
    firsts: Tensor,
    fractions: Tensor,
    unit: float,
    shift: Tensor,
    divisor: Tensor,
) -> Tensor:
    """Scale and normalise; nothing but gathers and single operations on (N, 3, n, n)."""
    start, (heights, widths) = starts[:, None, None, None], sizes.T[:, :, None, None, None]
    row, column = firsts[0][:, None, :, None], firsts[1][:, None, None, :]
    down, across = fractions[0][:, None, :, None], fractions[1][:, None, None, :]
    channel = torch.arange(3, device=flat.device)[:, None, None]

    def line(tap: int) -> Tensor:
        """Return the row that a tap reads, scaled along its columns."""
        y = (row + (tap - 1)).clamp(min=0).minimum(heights - 1)
        begin = start + y * widths * 3 + channel
        places = [(column + (k - 1)).clamp(min=0).minimum(widths - 1) for k in range(4)]
        pixels = [flat[begin + x * 3].float() * unit for x in places]
        return _cubic(_extrapolated(pixels, column, widths), across)

    lines = _extrapolated([line(tap) for tap in range(4)], row, heights)
    return (_cubic(lines, down) + shift) / divisor


def _extrapolated(taps: list[Tensor], first: Tensor, count: Tensor) -> list[Tensor]:
    """Return four taps, of which those beyond the border follow the straight line inside it."""
    p0, p1, p2, p3 = taps
    before = torch.where(first < 1, 2 * p1 - p2, p0)
    behind = torch.where(first + 2 >= count, 2 * p2 - p1, p3)
    return [before, p1, p2, behind]


def _cubic(taps: list[Tensor], fraction: Tensor) -> Tensor:
    """Interpolate as `bicubic` does: float32 but for the outermost product and sum."""
    p0, p1, p2, p3 = taps
    a1 = p2 - p0
    a2 = 2 * p0 - 5 * p1 + 4 * p2 - p3
    a3 = 3 * (p1 - p2) + p3 - p0
    slope = a1 + fraction * (a2 + fraction * a3)
    value = p1.double() + 0.5 * fraction.double() * slope.double()
    return value.float()
