"""The wish to stop: a signal that is looked at between two steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM comes from whoever takes the machine back, about half a minute before; SIGINT is Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):  # noqa: N818 - no error: the run is saved, and can go on
    """The run ended before its time, at a place from which it can go on."""


class Stop:
    """Whether somebody asked the run to end.

    Attributes:
        signal: that asked, or None.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Make one that nobody has asked yet.

        Args:
            tell: takes a sentence for whoever pressed Ctrl-C.
        """
        self.signal: signal.Signals | None = None
        self._tell = tell

    @property
    def requested(self) -> bool:
        """Tell whether somebody asked."""
        return self.signal is not None

    @property
    def by_hand(self) -> bool:
        """Tell whether it was Ctrl-C."""
        return self.signal is signal.SIGINT

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs; a second Ctrl-C ends the process as usual."""
        before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        if self.by_hand:
            self._tell("ends behind this step, with everything saved; Ctrl-C again ends it at once")
