"""Rows of Parquet files, a few in memory at a time; extra [parquet]."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are held in memory at a time: a few megabytes of photographs.
ROWS: Final = 32
# Bytes that are read ahead; without this, a whole column of a row group would be held.
BUFFER: Final = 1 << 20


class Rows:
    """Images that are rows of Parquet files, read in a stream of a few rows at a time.

    Going forward in a row group costs little, going back begins it again. What is open belongs to
    one process: a copy, in a forked process or by pickling, opens the files anew.
    """

    def __init__(
        self, paths: Sequence[str], column: str, groups: NDArray[np.int64], stamp: str
    ) -> None:
        """Describe the rows.

        Args:
            paths: of the files.
            column: of the bytes, "image.bytes" say.
            groups: (G, 3), of each row group: place of its first row among all rows, its file,
                its number there.
            stamp: of the files.
        """
        self.paths = tuple(paths)
        self.column = column
        self.groups = groups
        self._stamp = stamp
        self._window: _Window | None = None
        self._process = os.getpid()

    def read(self, position: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            DataError: they cannot be read, or there are none.
        """
        group = int(np.searchsorted(self.groups[:, 0], position, side="right")) - 1
        first, number, place = (int(value) for value in self.groups[group])
        path = self.paths[number]
        if self._process != os.getpid():
            self._window, self._process = None, os.getpid()
        # Set again once it has answered: one that failed may be in step with its rows no more.
        window, self._window = self._window, None
        with explained(path):
            if window is None or not window.reaches(group, position - first):
                window = _Window(path, self.column, group, place)
            data = window.read(position - first)
        self._window = window
        if not isinstance(data, bytes):
            raise DataError(
                f"{path}: bytes of the image in row {position - first} of row group "
                f"{place} expected, found none"
            )
        return data

    def stamp(self) -> str:
        """Return a checksum of the files' sizes and tables of contents."""
        return self._stamp

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}


class _Window:
    """The rows of a row group that have been reached, the last few of them in memory."""

    def __init__(self, path: str, column: str, group: int, place: int) -> None:
        from pyarrow.parquet import ParquetFile

        self.group = group
        self.file = ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
        self.batches: Iterator[pa.RecordBatch] = self.file.iter_batches(
            ROWS, row_groups=[place], columns=[column], use_threads=False
        )
        self.begin = self.end = 0
        self.values: Any = None

    def reaches(self, group: int, row: int) -> bool:
        return group == self.group and row >= self.begin

    def read(self, row: int) -> object:
        while row >= self.end:
            batch = next(self.batches, None)
            if batch is None:
                raise EOFError(f"row {row} expected, found {self.end} rows")
            values = batch.column(0)
            self.values = values.field("bytes") if hasattr(values, "field") else values
            self.begin, self.end = self.end, self.end + len(values)
        return self.values[row - self.begin].as_py()


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what pyarrow raises over a file into an error that names it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:  # the last: no UTF-8
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"{path}: a whole Parquet file expected, found none or a damaged one ({reason}); "
            "fetch it again"
        ) from error
