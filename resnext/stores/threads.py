"""Work of several threads that nobody waits for when the program is to end."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

GRACE: Final = 1.0  # seconds for threads that are told to end


def in_threads(
    action: Callable[[int], T], count: int, *, threads: int, end: Callable[[], None]
) -> Iterator[T]:
    """Yield what an action returns for 0, 1 ... `count` - 1, in this order, done by threads.

    Ctrl-C or an error ends the loop at once, even while a thread waits for a server that does not
    answer; the pool of `concurrent.futures` would wait for that.

    Args:
        action: takes a number; its error is raised where its result would be yielded.
        count: of the numbers.
        threads: at most so many.
        end: lets actions that have begun end soon; called when the loop ends.
    """
    results: list[Future[T]] = [Future() for _ in range(count)]
    numbers, lock, ended = iter(range(count)), threading.Lock(), threading.Event()

    def work() -> None:
        while not ended.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                results[number].set_result(action(number))
            except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
                results[number].set_exception(error)

    workers = [
        threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(results)))
    ]
    for worker in workers:
        worker.start()
    try:
        for each in results:
            yield each.result()
    finally:
        ended.set()
        end()
        # The interpreter ends a daemon thread wherever it is, which code of C++ may not survive.
        until = time.monotonic() + GRACE
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
