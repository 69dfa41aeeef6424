"""Raw crops to network input on a device, by an engine whose bits are the CPU's."""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from resnext.errors import DeviceError
from resnext.fast_path import Choice, Engine, FastPath, choose_first
from resnext.inference.arithmetic import numbered
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import levels_of, prepare_pixels, raw_crop
from resnext.preprocessing import Preprocessing

# Of sources, unit, shift and divisor: see `scale_plainly`.
Scale = Callable[[RawCrops, float, Tensor, Tensor], Tensor]


# The fastest first.
ENGINES: Final[tuple[Engine[Scale], ...]] = (
    Engine(
        name="Triton",
        place=("resnext.inference.triton_scaling", "scale_with_triton"),
        devices=("cuda",),
    ),
    Engine(
        name="PyTorch",
        place=("resnext.inference.scaling", "scale_plainly"),
        devices=("cuda", "cpu"),
    ),
)


def scale_sources(sources: RawCrops) -> Tensor:
    """Return the crops of pictures (N, 3, n, n) float32, on the device of the sources.

    Raises:
        DeviceError: nothing gives the CPU's bits there.
    """
    device = sources.device
    engine = choose(device).chosen
    if engine is None:
        raise DeviceError(f"{device}: an engine with the CPU's bits expected; scale on the CPU")
    return engine.load()(sources, *levels_on(sources.preprocessing, device))


def takes_over(device: torch.device) -> bool:
    """Tell whether a device is a GPU that scales in place of the processes that read."""
    return device.type == "cuda" and choose(device).chosen is not None


def refusals(device: torch.device) -> tuple[str, ...]:
    """Return which engines of a GPU are not used, and why, a line each; nothing on a CPU."""
    return choose(device).refused if device.type == "cuda" else ()


def choose(device: torch.device) -> Choice[Engine[Scale]]:
    """Try the engines of a device in order, once, until one gives the CPU's bits."""
    return _chosen(numbered(device))


@cache
def _chosen(device: torch.device) -> Choice[Engine[Scale]]:
    engines = (engine for engine in ENGINES if device.type in engine.devices)
    return choose_first(_fast_path(engine, device) for engine in engines)


def _fast_path(engine: Engine[Scale], device: torch.device) -> FastPath[Engine[Scale]]:
    return FastPath(
        label=f"{engine.name} does not scale on {device}",
        attempt=lambda: engine if agrees(engine.load(), device) else None,
        disagreement="its bits are not the CPU's",
    )


def agrees(scale: Scale, device: torch.device) -> bool:
    """Tell whether a way to scale has the CPU's bits, for some small and busy pictures."""
    thirds = Preprocessing(scale=40, crop=37, mean=(1 / 3,) * 3, std=(1 / 3,) * 3)
    pictures = [
        (np.arange(height * width * 3) ** 2 % 251).astype(np.uint8).reshape(height, width, 3)
        for height, width in ((40, 53), (31, 90), (97, 41), (3, 2), (1, 5))
    ]
    sources = RawCrops.of([raw_crop(each, thirds) for each in pictures]).to(device)
    with torch.inference_mode():
        found = scale(sources, *levels_on(thirds, device)).cpu().contiguous().numpy()
    expected = np.stack([prepare_pixels(each, thirds) for each in pictures])
    return found.tobytes() == expected.tobytes()


@cache
def levels_on(preprocessing: Preprocessing, device: torch.device) -> tuple[float, Tensor, Tensor]:
    """Return unit, shift and divisor for a device: small copies, for which a GPU is waited for."""
    levels = levels_of(preprocessing)
    shift, divisor = (
        torch.from_numpy(values).to(device) for values in (levels.shift, levels.divisor)
    )
    return float(levels.unit), shift, divisor


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
