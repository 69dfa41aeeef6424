"""What the libraries that decode pictures print, kept from the terminal and told in one note.

libtiff prints thousands of lines about a damaged file to descriptor 2, where a progress bar is
drawn; Pillow warns through Python's `warnings`.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Final

from resnext.fields import cut
from resnext.terminal.text import number, printable

STDERR: Final = 2
CAPACITY: Final = 1 << 16  # bytes that a pipe holds on Linux; more is dropped
LAST_WORDS: Final = 2000  # letters, of a process that crashed


@dataclass(slots=True)
class Printed:
    """What was printed while one picture was read and decoded.

    Attributes:
        lines: their number.
        first: the first one, or its beginning; "" if nothing was printed.
        whole: whether all lines were counted.
    """

    lines: int = 0
    first: str = ""
    whole: bool = True

    def add(self, text: str, *, whole: bool = True) -> None:
        """Take the lines of a text, and whether it is all that there was."""
        found = [line.strip() for line in text.splitlines() if line.strip()]
        self.lines += len(found)
        self.first = self.first or cut(found[0] if found else "")
        self.whole &= whole


class Listener:
    """Takes what one process prints to descriptor 2 while a picture is decoded.

    It goes into a pipe of this process's own, which never waits: what does not fit is dropped.
    Made in the main process and passed to the process that decodes, so that the main process can
    read the last words of one that crashed.
    """

    def __init__(self) -> None:
        """Open the pipe."""
        self._reader, self._writer = Pipe(duplex=False)
        self._is_on = False
        self._caught: list[warnings.WarningMessage] = []
        self._can_listen = sys.platform != "win32"  # where these are no descriptors
        if self._can_listen:
            os.set_blocking(self._reader.fileno(), False)
            os.set_blocking(self._writer.fileno(), False)

    @contextmanager
    def listening(self) -> Iterator[Printed]:
        """Yield what has, after the block, all that C libraries and Python warned of in it."""
        printed = Printed()
        with nullcontext() if self._is_on else self.on():
            try:
                yield printed
            finally:  # of a picture that cannot be decoded too, or the next one would be blamed
                self._hear(printed)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Take all that is printed in the block, so that listening to each picture costs less."""
        with warnings.catch_warnings(record=True) as self._caught:
            warnings.simplefilter("always")
            self._is_on = True
            try:
                with self._descriptor_taken():
                    yield
            finally:
                self._is_on = False

    def _hear(self, printed: Printed) -> None:
        for warning in self._caught:
            printed.add(f"{warning.category.__name__}: {warning.message}")
        self._caught.clear()
        if data := self.rest():
            # A line that no longer fits whole is dropped, so a full pipe is not full to the byte.
            text = data.decode("utf-8", "replace")
            printed.add(text, whole=len(data) < CAPACITY // 2)

    def rest(self) -> bytes:
        """Return what was printed and has not been read yet."""
        parts = []
        with suppress(OSError):  # there is nothing more, or it is closed
            while self._can_listen and (part := os.read(self._reader.fileno(), CAPACITY)):
                parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the pipe."""
        self._reader.close()
        self._writer.close()

    @contextmanager
    def _descriptor_taken(self) -> Iterator[None]:
        try:
            before = os.dup(STDERR) if self._can_listen else None
        except OSError:  # it is closed
            before = None
        if before is None:
            yield
            return
        try:
            os.dup2(self._writer.fileno(), STDERR)
            yield
        finally:
            os.dup2(before, STDERR)
            os.close(before)


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what libraries print in the block, about a picture that was decoded before."""
    listener = Listener()
    try:
        with listener.listening():
            yield
    finally:
        listener.close()


class LibraryWarnings:
    """What libraries printed about the pictures of one or more readings, told once.

    Args:
        note: takes a sentence that the user should know.
    """

    def __init__(self, note: Callable[[str], object] = lambda _: None) -> None:
        """Begin with none."""
        self._note = note
        self._said = False
        self.pictures = self.lines = 0
        self.whole = True
        self.first = ""

    def add(self, image: str, printed: Printed) -> None:
        """Take what was printed about an image of this name."""
        self.pictures += 1
        self.lines += printed.lines
        self.whole &= printed.whole
        self.first = self.first or f"{image}: {printed.first}"

    def join(self, fields: tuple[int, int, bool, str]) -> None:
        """Take what another process has found, its `fields`."""
        pictures, lines, whole, first = fields
        self.pictures += pictures
        self.lines += lines
        self.whole &= whole
        self.first = self.first or first

    @property
    def fields(self) -> tuple[int, int, bool, str]:
        """Return the numbers of pictures and lines, whether that is all, and the first line."""
        return self.pictures, self.lines, self.whole, self.first

    def say(self) -> None:
        """Tell the note, where there is something to tell and it was not told before."""
        if self.pictures and not self._said:
            self._said = True
            lines = number(self.lines, "line") if self.whole else f"more than {self.lines:,} lines"
            self._note(
                f"libraries that decode pictures warned of {number(self.pictures, 'picture')}, in "
                f"{lines}; what they could decode is used; the first: {printable(self.first)}"
            )


def last_words(text: str) -> None:
    """Print the last lines of what a process that crashed has printed, to stderr."""
    shown = "".join(
        f"{printable(line)}\n" for line in text[-LAST_WORDS:].splitlines() if line.strip()
    )
    with suppress(OSError):
        if shown and sys.stderr is not None:
            sys.stderr.write(shown)
            sys.stderr.flush()
