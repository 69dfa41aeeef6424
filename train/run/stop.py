"""The wish to stop: a signal that is looked at between two steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM comes from whoever takes the machine back, about half a minute before; SIGINT is Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """The run ended before its time, at a place from which it can go on.

    No error, so that nothing takes it for one on its way: before there is a run to save, it is
    raised wherever the signal comes.
    """


class Stop:
    """Whether somebody asked the run to end.

    Attributes:
        signal: that asked, or None.
        waits: there is a run to save first; before that, the wish is followed at once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Make one that nobody has asked yet.

        Args:
            tell: takes a sentence for whoever pressed Ctrl-C.
        """
        self.signal: signal.Signals | None = None
        self.waits = False
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
        """Listen while the block runs; a second Ctrl-C ends the process as usual.

        Raises:
            Stopped: somebody asked while there was nothing to wait for.
        """
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
        if not self.waits:
            raise Stopped
        if self.by_hand:
            self._tell("ends after this step, with everything saved; Ctrl-C again ends it at once")
