"""How fast a download has to be: one that only trickles would never end, and never time out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from resnext.errors import DownloadError

# Bytes that have to arrive in so many seconds: a hundred a second, a fortieth of an old modem.
LEAST: Final = 60_000
WINDOW: Final = 600.0
# Seconds for a file whose length nobody states.
LONGEST: Final = 86_400.0


class TooSlowError(DownloadError):
    """Bytes arrive so slowly that the download would hardly end."""


@dataclass(slots=True, kw_only=True)
class Pace:
    """What has arrived of a file since when, over all requests for it.

    Attributes:
        name: of the file, for messages.
        clock: returns seconds.
        least: bytes that have to arrive in a `window` of seconds.
        longest: seconds for a file whose length is not known.
    """

    name: str
    clock: Callable[[], float]
    least: int = LEAST
    window: float = WINDOW
    longest: float = LONGEST
    _begin: float = field(init=False)
    _since: float = field(init=False)
    _arrived: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._begin = self._since = self.clock()

    def rested(self, seconds: float) -> None:
        """Take note of a pause, which does not count: a server may have asked for it."""
        self._begin += seconds
        self._since += seconds

    def add(self, count: int, *, sized: bool) -> None:
        """Take the number of bytes that have just arrived, and whether the length is known.

        Raises:
            TooSlowError: they are too few, or it took too long.
        """
        now, found = self.clock(), None
        self._arrived += count
        if self._arrived >= self.least:
            self._since, self._arrived = now, 0
        elif now - self._since > self.window:
            found = (
                f"{self._arrived} bytes arrived in the last {now - self._since:.0f} seconds, "
                f"where at least {self.least} in {self.window:.0f} are expected"
            )
        if not sized and now - self._begin > self.longest:
            found = (
                f"no end after {now - self._begin:.0f} seconds of a file whose length is not said, "
                f"where at most {self.longest:.0f} are expected"
            )
        if found:
            raise TooSlowError(f"{self.name}: {found}")
