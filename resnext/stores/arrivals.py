"""Files of a store that are fetched ahead by threads, while the first of them are used."""

import os
import shutil
import threading
import time
import weakref
from collections.abc import Sequence
from ctypes import c_byte, c_char
from multiprocessing.sharedctypes import RawArray
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast

from resnext.errors import DownloadError, ResnextError
from resnext.stores.fetching import fetch_file, has_arrived
from resnext.stores.ranged import RangedFile
from resnext.stores.store import Store, StoredFile, named
from resnext.stores.stream_folder import new_folder
from resnext.terminal.command import error_line
from resnext.terminal.text import number as counted

THREADS: Final = 8
# Files of a stream that lie on the disk at a time, the one that is read included.
KEPT: Final = 4
ROOM: Final = 1 << 27  # bytes of more files than these, where they are small
POLL: Final = 0.02  # seconds
LONGEST: Final = 4096  # bytes of the text of an error
LARGE: Final = 1 << 24  # bytes of a file that comes later than a small part of it

COMING, HERE, GONE = 0, 1, 2
UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Return a number of bytes for people: "6.7 GB"."""
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.{min(unit, 1)}f} {UNITS[unit]}"


class Arrivals:
    """Files of a store, each at a path that it takes when it has come whole.

    The threads fetch the files in their order, those that are waited for first. Processes that are
    forked or spawned later see what has come, and may wait too. With `keeps` false the files lie in
    a folder of their own, a few at a time: the next is fetched when one was passed, and at the end
    of the program all are gone. What a killed program left goes when the next one begins.

    Attributes:
        store: holds the files.
        files: of the store, in the order in which they are wanted.
        paths: where they will lie.
    """

    def __init__(
        self, store: Store, files: Sequence[StoredFile], cache: Path, *, keeps: bool = True
    ) -> None:
        """Find out what is there already; nothing is fetched yet.

        Args:
            store: holds the files.
            files: that are wanted.
            cache: the folder of downloads.
            keeps: whether the files stay there for the next run.

        Raises:
            DownloadError: the store has a file whose name leads out of its folder.
            OSError: the cache cannot be written.
        """
        self.store, self.files, self.keeps = store, tuple(files), keeps
        places = [_inside(store, file) for file in self.files]
        if not keeps:
            cache, lock = new_folder(cache)
        self.paths = tuple(cache / place for place in places)
        self._state: Any = RawArray(c_byte, max(1, len(self.files)))
        self._error: Any = RawArray(c_char, LONGEST)
        self._passed = threading.Condition()
        self._process = os.getpid()  # whose threads fetch
        if not keeps:
            self._end = weakref.finalize(self, _remove, cache, os.getpid(), self._error, lock)
        # What is waited for, in any process, and what a thread has begun to fetch.
        self._wanted: Any = RawArray(c_byte, max(1, len(self.files)))
        self._taken: set[int] = set()
        self._first = self._next = 0  # the first file that is still needed; the next to fetch
        for number, (file, path) in enumerate(zip(self.files, self.paths, strict=True)):
            if has_arrived(file, path):
                self._state[number] = HERE

    def __len__(self) -> int:
        return len(self.files)

    @property
    def missing(self) -> int:
        """Count the files that have not come."""
        return sum(state == COMING for state in self._state) if self.files else 0

    def note(self, address: str, *, all_first: bool = False) -> tuple[str, ...]:
        """Return a sentence on what has to be fetched; nothing where all is here.

        Args:
            address: that leads to the files.
            all_first: all of them have to come before the first is used.
        """
        files = [
            file for file, state in zip(self.files, self._state, strict=False) if state == COMING
        ]
        if not files:
            return ()
        size = size_text(sum(file.size for file in files))
        kept = "kept in the cache" if self.keeps else "not kept"
        files_text = counted(len(files), "file")
        when = "read when all have come" if all_first and len(files) > 1 else "read as they come"
        return (f"{address}: {files_text} of {size} to fetch, {when}, {kept}",)

    def start(self) -> None:
        """Let threads fetch what is missing."""
        for _ in range(min(THREADS, self.missing)):
            threading.Thread(target=self._fetch_all, daemon=True).start()

    def wait(self, number: int) -> Path:
        """Return the path of a file when it has come.

        Raises:
            DownloadError: it cannot be fetched, or an earlier one could not.
        """
        if self._state[number] == COMING:
            self._wanted[number] = 1
        while self._state[number] == COMING:
            self._go_on()
            time.sleep(POLL)
        return self.paths[number]

    def at(self, number: int) -> Path | BinaryIO:
        """Return the path of a file when it has come; of one that was passed, the file afar.

        Raises:
            DownloadError: it cannot be fetched, or an earlier one could not.
        """
        path = self.wait(number)
        return path if self._state[number] == HERE else self._afar(number)

    def early(self, number: int) -> Path | BinaryIO:
        """Return the path of a file, or as long as it is not here what is read of it afar."""
        return self.paths[number] if self._state[number] == HERE else self._afar(number)

    def soon(self, number: int) -> Path | BinaryIO:
        """Return a file afar as long as it has not come and is large; else as `at` does.

        Raises:
            DownloadError: it cannot be fetched, or an earlier one could not.
        """
        is_late = self._state[number] == COMING and self.files[number].size > LARGE
        return self._afar(number) if is_late else self.at(number)

    def passed(self, number: int) -> None:
        """Take note that no file before this one is needed any more."""
        if self.keeps or number <= self._first:
            return
        with self._passed:
            for gone in range(self._first, number):
                self._state[gone] = GONE
                self.paths[gone].unlink(missing_ok=True)
            self._first = number
            self._passed.notify_all()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        others = ("_passed", "_end")
        return {name: value for name, value in self.__dict__.items() if name not in others}

    def _afar(self, number: int) -> BinaryIO:
        return cast("BinaryIO", RangedFile(self.store, self.files[number]))

    def _fetch_all(self) -> None:
        """Fetch the next file, again and again, until there is none."""
        while not self._error.value and (number := self._take()) is not None:
            try:
                fetch_file(
                    self.store,
                    self.files[number],
                    self.paths[number],
                    progress=self._go_on,
                )
            except (ResnextError, OSError, MemoryError) as error:
                self._fail(error_line(error))
            except BaseException as error:
                self._fail(f"{type(error).__name__}: {error}")  # or whoever waits would for ever
                raise
            else:
                self._arrived(number)

    def _go_on(self, _done: int = 0, _total: int | None = None) -> None:
        """Raise the error of whichever file failed: of the others none will be read.

        In a process that was forked or spawned, it is one too that the process which fetches was
        killed, as nothing comes any more.
        """
        if self._error.value:
            raise DownloadError(self._error.value.decode("utf-8", "replace"))
        if self._process not in (os.getpid(), os.getppid()):
            raise DownloadError(f"{self.store.address}: the process that fetches it has ended")

    def _arrived(self, number: int) -> None:
        path = self.paths[number]
        with self._passed:
            if self._state[number] == GONE:  # it was passed meanwhile
                path.unlink(missing_ok=True)
            else:
                self._state[number] = HERE

    def _fail(self, reason: str) -> None:
        """Let whoever waits know why nothing comes any more; the first reason counts."""
        with self._passed:
            if not self._error.value:
                self._error.value = reason.encode("utf-8", "replace")[: LONGEST - 1]
            self._passed.notify_all()

    def _take(self) -> int | None:
        """Return the file to fetch next: one that is waited for, or the next in order."""
        with self._passed:
            while not self._error.value:
                number = self._first_wanted()
                while self._next < len(self.files) and not self._is_open(self._next):
                    self._next += 1
                if number is None and self._next == len(self.files):
                    return None
                if number is None and (self.keeps or self._has_room()):
                    number = self._next
                if number is not None:
                    self._taken.add(number)
                    return number
                self._passed.wait(POLL)
        return None

    def _first_wanted(self) -> int | None:
        wanted = bytes(self._wanted)
        number = wanted.find(1)
        while number >= 0:
            self._wanted[number] = 0
            if self._is_open(number):
                return number
            number = wanted.find(1, number + 1)
        return None

    def _is_open(self, number: int) -> bool:
        """Tell whether nobody has fetched or fetches a file."""
        return self._state[number] == COMING and number not in self._taken

    def _has_room(self) -> bool:
        """Tell whether one more file may lie on the disk: a few, or many small ones."""
        there = self.files[self._first : self._next]
        return len(there) < KEPT or sum(file.size for file in there) < ROOM


def _inside(store: Store, file: StoredFile) -> str:
    """Return the place of a file in the cache, which is below it."""
    place = PurePosixPath(store.place(file))
    if place.is_absolute() or ".." in place.parts or "\0" in str(place):
        raise DownloadError(
            f"{named(store, file)}: the name of a file inside the store expected, found one that "
            "leads out of it"
        )
    return str(place)


def _remove(folder: Path, process: int, error: Any, lock: BinaryIO) -> None:
    lock.close()
    if os.getpid() == process:
        error.value = b"ended"  # so that no thread begins another file
        shutil.rmtree(folder, ignore_errors=True)
