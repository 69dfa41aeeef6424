"""Work of threads: its order, its errors, and an end that waits for no server."""

import threading
import time

import pytest

from resnext.stores.threads import in_threads


def test_results_come_in_the_order_of_their_numbers() -> None:
    def action(number: int) -> int:
        time.sleep((20 - number) / 1000)
        return number * number

    done = list(in_threads(action, 20, threads=4, end=lambda: None))
    assert done == [number * number for number in range(20)]


def test_error_comes_at_its_place_and_waits_for_no_thread_that_hangs() -> None:
    gate, ended = threading.Event(), threading.Event()

    def action(number: int) -> int:
        if number == 1:
            raise OSError("of one")
        if number == 2:
            gate.wait(60)
        return number

    results = in_threads(action, 3, threads=3, end=ended.set)
    assert next(results) == 0
    began = time.monotonic()
    with pytest.raises(OSError, match="of one"):
        next(results)
    assert ended.is_set()
    assert time.monotonic() - began < 5
    gate.set()


def test_no_number_is_begun_after_the_end() -> None:
    begun: list[int] = []
    results = in_threads(
        lambda number: (begun.append(number), time.sleep(0.2)), 50, threads=2, end=lambda: None
    )
    next(results)
    results.close()  # type: ignore[attr-defined]
    before = len(begun)
    time.sleep(0.5)
    assert len(begun) == before < 6
