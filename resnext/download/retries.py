"""Retries: what fails is tried again, with pauses, as long as that may help."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from resnext.download.pace import LEAST, WINDOW, Pace, TooSlowError
from resnext.errors import DownloadError
from resnext.terminal.command import tell

T = TypeVar("T")

# Bytes of a file whose size neither the server nor a table states.
MOST_WITHOUT_SIZE: Final = 1 << 34
TOLD: Final = 10.0  # seconds of a pause that the user is told of


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Timeouts, in seconds, and retries.

    Attributes:
        connect: timeout of the connection.
        read: timeout until the next bytes arrive.
        most: bytes to take of a file whose size is not known.
        retries: after consecutive failures; a failure after new bytes counts as the first again.
        pause: after the first failure; doubled after each further one.
        longest_pause: limit of the pause, also of one that a server asks for by Retry-After.
        least: bytes that have to arrive in a `window` of seconds.
        sleep: waits for the given seconds.
        clock: returns seconds.
    """

    connect: float = 10
    read: float = 30
    most: int = MOST_WITHOUT_SIZE
    retries: int = 4
    pause: float = 1
    longest_pause: float = 60
    least: int = LEAST
    window: float = WINDOW
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def pace(self, name: str) -> Pace:
        """Return the measure of how fast a file of this name comes from now on."""
        return Pace(name=name, clock=self.clock, least=self.least, window=self.window)


PATIENCE: Final = Patience()


class TryAgainError(DownloadError):
    """A failure that a retry may overcome.

    Attributes:
        pause: seconds to wait before the retry, None for the usual pause.
    """

    def __init__(self, message: str, *, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


def patiently(
    action: Callable[[], T],
    *,
    patience: Patience,
    pace: Pace | None = None,
    done: Callable[[], int] = lambda: 0,
    last_words: Callable[[], str] = lambda: "",
) -> T:
    """Return what an action returns, which is tried again where that may help.

    Args:
        action: raises a TryAgainError where it does.
        patience: how often, and the pauses.
        pace: of what arrives; pauses do not count.
        done: returns how much is done; more than ever before counts as progress.
        last_words: returns what the error that ends it says last.

    Raises:
        DownloadError: it failed too often in a row, or is too slow.
    """
    failures, furthest = 0, done()
    while True:
        try:
            return action()
        except TooSlowError as error:
            raise TooSlowError(f"{error}{last_words()}") from error
        except TryAgainError as failure:
            # Only new bytes count as progress: the same ones again and again would never end.
            reached = done()
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures > patience.retries:
                words = f"{failure}, {failures} times in a row{last_words()}"
                raise DownloadError(words) from failure
            pause = patience.pause * 2 ** (failures - 1) if failure.pause is None else failure.pause
            pause = min(pause, patience.longest_pause)
            if pause >= TOLD:
                tell(f"{failure}; the next try is in {pause:.0f} s\n")
            patience.sleep(pause)
            if pace:
                pace.rested(pause)
