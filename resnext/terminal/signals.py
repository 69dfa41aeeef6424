"""Signals that ask a command to end, which then cleans up as it does after Ctrl-C."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

# Sent by schedulers, `timeout` and `kill`, and by a terminal that is closed. Windows has no SIGHUP.
SIGNALS: Final = tuple(
    signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)


class SignalledError(KeyboardInterrupt):
    """A signal has asked the process to end; whatever cleans up after Ctrl-C cleans up after it.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int) -> None:
        """Take the number of the signal."""
        super().__init__(number)
        self.signal = signal.Signals(number)


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raise `SignalledError` inside the block when one of `SIGNALS` asks the process to end.

    Only a signal that would end the process at once is taken: `nohup` ignores SIGHUP, and a
    training waits for the end of its step. A second one changes nothing, so that the process can
    clean up after the first. A process that was forked meanwhile ends at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    taken = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    own = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise SignalledError(number)

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold Ctrl-C and `SIGNALS` back while the block runs, which must be short; then they act.

    What the block does is thus done whole or not at all, such as a line in each of some files.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {}
    try:
        for number in (signal.SIGINT, *SIGNALS):
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, lambda each, _: arrived.append(each))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for found in arrived:
            signal.raise_signal(found)
