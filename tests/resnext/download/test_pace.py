import pytest

from resnext.download.pace import Pace, TooSlowError


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_slow_line_that_is_fast_enough_may_take_days() -> None:
    clock = Clock()
    pace = Pace(name="x", clock=clock)
    for minute in range(5 * 24 * 60):
        clock.now = 60.0 * minute
        pace.add(7000, sized=True)


def test_bytes_that_come_too_slowly_are_refused_in_the_end() -> None:
    clock = Clock()
    pace = Pace(name="x", clock=clock)
    clock.now = 300
    pace.add(59_999, sized=True)
    clock.now = 601
    with pytest.raises(TooSlowError, match=r"^x: 59999 bytes arrived in the last 601 seconds"):
        pace.add(0, sized=True)


def test_pause_is_made_good_by_what_comes_after_it() -> None:
    clock = Clock()
    pace = Pace(name="x", clock=clock)
    clock.now = 5000
    pace.add(60_000, sized=True)
    clock.now = 5600
    pace.add(1, sized=True)


def test_file_of_unknown_length_has_a_day() -> None:
    clock = Clock()
    pace = Pace(name="x", clock=clock)
    clock.now = 86_400
    pace.add(1 << 20, sized=False)
    clock.now = 86_401
    pace.add(1 << 20, sized=True)
    with pytest.raises(
        TooSlowError, match=r"^x: no end after 86401 seconds of a file whose length is not said, "
    ):
        pace.add(1 << 20, sized=False)
