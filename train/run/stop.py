"""Stopping a run by a signal, which is checked between two steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from resnext.terminal.signals import SIGNALS

# Schedulers send SIGTERM about half a minute before they take the machine, a terminal that is
# closed SIGHUP, Ctrl-C SIGINT.
ALL_SIGNALS: Final = (*SIGNALS, signal.SIGINT)


class Stopped(BaseException):
    """The run was stopped by a signal, and can be resumed if it has been saved.

    It is no `Exception`, so that no handler of errors catches it: before there is a run to save, it
    is raised wherever the signal arrives.
    """


class Stop:
    """Whether a signal has asked the run to stop.

    Attributes:
        signal: that has arrived, or None.
        waits: the run stops itself after it has been saved; else a signal raises `Stopped` at once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Start without a signal.

        Args:
            tell: takes a sentence for the user who has pressed Ctrl-C.
        """
        self.signal: signal.Signals | None = None
        self.waits = False
        self._tell = tell

    @property
    def requested(self) -> bool:
        """Tell whether a signal has arrived."""
        return self.signal is not None

    @property
    def by_hand(self) -> bool:
        """Tell whether the signal was Ctrl-C."""
        return self.signal is signal.SIGINT

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals while the block runs; a second Ctrl-C ends the process as usual.

        Raises:
            Stopped: a signal arrived while `waits` was not set.
        """
        # Under `nohup` a run outlives its terminal.
        outlives = getattr(signal, "SIGHUP", None), signal.SIG_IGN
        before = {
            number: signal.signal(number, self._ask)
            for number in ALL_SIGNALS
            if (number, signal.getsignal(number)) != outlives
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        if not self.waits:
            raise Stopped
        if self.by_hand:
            self._tell("ends after this step, with everything saved; Ctrl-C again ends it at once")
