"""A terminal of some columns, as a command sees it, and what was printed on it."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Terminal:
    """A terminal without colours.

    Attributes:
        side: descriptor to print on.
        environment: variables that a program on it has.
    """

    def __init__(self, columns: int) -> None:
        self._main, self.side = pty.openpty()
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        self.environment = {"TERM": "dumb", "COLUMNS": str(columns), "LINES": "25"}

    def lines(self) -> list[str]:
        """Return the lines that were printed since the last call."""
        os.set_blocking(self._main, False)
        parts = []
        with suppress(BlockingIOError):
            while part := os.read(self._main, 1 << 16):
                parts.append(part)
        return b"".join(parts).decode().splitlines()

    def close(self) -> None:
        """Close both ends."""
        os.close(self._main)
        os.close(self.side)


@contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    """Yield a terminal of so many columns."""
    found = Terminal(columns)
    try:
        yield found
    finally:
        found.close()
