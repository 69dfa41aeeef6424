from collections.abc import Callable

import numpy as np
import pytest

from resnext.pixels import resample
from resnext.pixels.bicubic import Levels
from resnext.pixels.resample import Window, scale_planes, scaled_size

UNIT = np.float32(1 / 255)

both_engines = pytest.mark.usefixtures("engine")


def scale_window(
    pixels: np.ndarray, size: tuple[int, int], window: Window, *, unit: np.float32
) -> np.ndarray:
    """Return a window of a scaled picture (height, width, C) float32, not normalised."""
    # Adding -0 and dividing by 1 leave every bit as it is; adding 0 would turn -0 into 0.
    shift = np.full(pixels.shape[2], -0.0, np.float32)
    levels = Levels(unit=unit, shift=shift, divisor=np.ones_like(shift))
    return scale_planes(pixels, size, window, levels).transpose(1, 2, 0)


def slow_line(line: list[np.float32], target: int) -> list[np.float32]:
    """Scale one line of one channel by the documented rule, pixel by pixel."""
    source, one = len(line), np.float32
    if source == 1:
        return line * target
    step = one(source - 1) / one(target - 1) if target > 1 else one(0)
    result = []
    for place in range(target - 1):
        position = one(place) * step
        left = int(position)
        t = position - one(left)
        p1, p2 = line[left], line[left + 1]
        p0 = line[left - 1] if left > 0 else one(2) * p1 - p2
        p3 = line[left + 2] if left + 2 < source else one(2) * p2 - p1
        a1 = p2 - p0
        a2 = one(2) * p0 - one(5) * p1 + one(4) * p2 - p3
        a3 = one(3) * (p1 - p2) + p3 - p0
        inner = a1 + t * (a2 + t * a3)
        result.append(one(float(p1) + 0.5 * float(t) * float(inner)))
    return [*result, line[-1]]


def slow_scale(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale the rows, then the columns: (H, W, C) uint8 -> (*size, C) float32."""
    height, width = size
    planes = []
    for channel in range(pixels.shape[2]):
        rows = [
            slow_line([np.float32(value) * UNIT for value in row], width)
            for row in pixels[:, :, channel]
        ]
        columns = [slow_line([row[place] for row in rows], height) for place in range(width)]
        planes.append(np.array(columns, np.float32).T)
    return np.stack(planes, axis=2)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Return difficult pixels: half of them are black or white, where the cubic overshoots."""
    draw = np.random.default_rng(height * 1000 + width)
    pixels = draw.integers(-128, 384, (height, width, channels))
    return pixels.clip(0, 255).astype(np.uint8)


def whole(size: tuple[int, int]) -> Window:
    return Window(top=0, left=0, height=size[0], width=size[1])


def same_bits(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


@both_engines
@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((37, 53), (19, 27)),
        ((37, 53), (36, 52)),
        ((13, 17), (29, 41)),
        ((37, 53), (80, 9)),
        ((37, 53), (37, 20)),
        ((37, 53), (37, 53)),
        ((2, 2), (7, 5)),
        ((2, 3), (2, 2)),
        ((3, 4), (9, 11)),
        ((1, 1), (4, 3)),
        ((1, 9), (5, 20)),
        ((9, 1), (4, 3)),
        ((9, 11), (1, 1)),
        ((9, 11), (2, 1)),
        ((100, 7), (33, 7)),
        ((301, 203), (7, 5)),
        ((2, 700), (9, 3)),
    ],
    ids=lambda pair: f"{pair[0]}x{pair[1]}",
)
def test_scaling_equals_the_rule_in_every_bit(
    source: tuple[int, int], size: tuple[int, int]
) -> None:
    pixels = noise(*source)
    found = scale_window(pixels, size, whole(size), unit=UNIT)
    assert same_bits(found, slow_scale(pixels, size))


@both_engines
@pytest.mark.parametrize(
    "window",
    [
        Window(top=0, left=0, height=1, width=1),
        Window(top=0, left=40, height=5, width=10),
        Window(top=29, left=0, height=6, width=3),
        Window(top=34, left=49, height=1, width=1),
        Window(top=11, left=13, height=17, width=19),
        Window(top=1, left=1, height=33, width=48),
    ],
    ids=["first", "top right", "bottom left", "last", "inside", "all but the border"],
)
@pytest.mark.parametrize("source", [(71, 103), (20, 21)], ids=["reduced", "enlarged"])
def test_window_equals_its_part_of_the_whole(source: tuple[int, int], window: Window) -> None:
    pixels, size = noise(*source), (35, 50)
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    expected = slow_scale(pixels, size)[rows, columns]
    assert same_bits(scale_window(pixels, size, window, unit=UNIT), expected)


@both_engines
def test_scaling_of_a_strided_view_equals_that_of_a_copy() -> None:
    view, size = noise(60, 50)[5:45:2, ::-1], (13, 30)
    found = scale_window(view, size, whole(size), unit=UNIT)
    assert same_bits(found, scale_window(view.copy(), size, whole(size), unit=UNIT))


@both_engines
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_scaling_of_other_channels_equals_the_rule(channels: int) -> None:
    pixels, size = noise(20, 30, channels), (11, 44)
    found = scale_window(pixels, size, whole(size), unit=UNIT)
    assert same_bits(found, slow_scale(pixels, size))


@both_engines
def test_planes_are_the_scaled_picture_normalised() -> None:
    pixels, size = noise(31, 23), (17, 40)
    window = Window(top=3, left=2, height=14, width=38)
    shift, divisor = np.array([[-0.5, 0, 3], [0.25, 1, 7]], np.float32)

    found = scale_planes(pixels, size, window, Levels(unit=UNIT, shift=shift, divisor=divisor))

    expected = (slow_scale(pixels, size)[3:17, 2:40] + shift) / divisor
    assert found.flags.c_contiguous
    assert same_bits(found, expected.transpose(2, 0, 1))


@both_engines
def test_scaling_of_an_edge_overshoots_unclamped() -> None:
    pixels = np.array([0, 0, 255, 255], np.uint8).reshape(1, 4, 1)
    found = scale_window(pixels, (1, 7), whole((1, 7)), unit=np.float32(1))
    assert found.ravel().tolist() == [0, -15.9375, 0, 127.5, 255, 270.9375, 255]


@both_engines
def test_window_of_an_absurdly_long_target_is_finite() -> None:
    window = Window(top=16, left=2**31, height=2, width=2)
    assert np.isfinite(scale_window(noise(3, 9), (40, 2**33), window, unit=UNIT)).all()


def test_installed_kernel_with_other_bits_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed() -> Callable[..., np.ndarray]:
        return lambda _pixels, *_: np.zeros((3, 27, 63), np.float32)

    monkeypatch.setattr(resample.Kernel, "installed", installed)
    resample.trusted_kernel.cache_clear()
    try:
        assert resample.engine() == "NumPy"
    finally:
        resample.trusted_kernel.cache_clear()


def test_scaling_tells_which_engine_it_uses(engine: str) -> None:
    assert resample.engine() == engine


@pytest.mark.parametrize(
    ("source", "scale", "scaled"),
    [
        ((375, 500), 256, (256, 341)),
        ((500, 375), 256, (341, 256)),
        ((256, 500), 256, (256, 500)),
        ((500, 256), 256, (500, 256)),
        ((256, 256), 256, (256, 256)),
        ((100, 100), 256, (256, 256)),
        ((1, 3), 256, (256, 768)),
        # 61 / 7 * 224 is 1952 in exact numbers, and a little less in float64.
        ((7, 61), 224, (224, 1951)),
        ((61, 7), 224, (1951, 224)),
    ],
    ids=str,
)
def test_scaled_size_follows_the_shorter_side(
    source: tuple[int, int], scale: int, scaled: tuple[int, int]
) -> None:
    assert scaled_size(*source, scale) == scaled
