"""The exact pixels on any device, by PyTorch's own operations: each rounds as NumPy's does."""

import torch
from torch import Tensor

from resnext.pixels.raw_crops import RawCrops


def scale_plainly(sources: RawCrops, unit: float, shift: Tensor, divisor: Tensor) -> Tensor:
    """Scale and normalise; the arithmetic is that of `bicubic`, operation by operation.

    Args:
        sources: on the device.
        unit: a float32, the value of one gray level.
        shift, divisor: (3,) float32 on the device, of `Levels`.

    Returns:
        (N, 3, n, n) float32 on the device.
    """
    start = sources.starts[:, None, None, None]
    heights, widths = sources.sizes.T[:, :, None, None, None]
    row, column = sources.firsts[0][:, None, :, None], sources.firsts[1][:, None, None, :]
    down, across = sources.fractions[0][:, None, :, None], sources.fractions[1][:, None, None, :]
    channel = torch.arange(3, device=sources.device)[:, None, None]

    def line(tap: int) -> Tensor:
        """Return the row that a tap reads, scaled along its columns."""
        y = (row + (tap - 1)).clamp(min=0).minimum(heights - 1)
        begin = start + y * widths * 3 + channel
        places = [(column + (k - 1)).clamp(min=0).minimum(widths - 1) for k in range(4)]
        pixels = [sources.flat[begin + x * 3].float() * unit for x in places]
        return _cubic(_extrapolated(pixels, column, widths), across)

    lines = _extrapolated([line(tap) for tap in range(4)], row, heights)
    return (_cubic(lines, down) + shift[:, None, None]) / divisor[:, None, None]


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
