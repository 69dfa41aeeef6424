"""Read images from rows of Parquet files, a few rows at a time; needs the extra [parquet]."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.fields import cut
from resnext.images.file_set import FileSet

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

# Rows in memory at a time: a few megabytes of photographs.
ROWS: Final = 32
# Rows that may be read afar on the way to the first that is wanted: of a process further back, the
# whole file comes sooner, and faster if nobody reads it twice.
NEAR: Final = 128
# Bytes of them, where the file's metadata tells: all rows may repeat one picture of a dictionary.
MOST_BYTES: Final = 1 << 28
# Bytes that pyarrow reads at a time; without a limit it would hold a whole column of a row group.
BUFFER: Final = 1 << 20


class Rows:
    """Images in rows of Parquet files, of which a few rows are read at a time.

    Reading forward in a row group is cheap; going back starts again at its first row. Open files
    belong to one process: a copy in a forked process, or an unpickled one, opens the files again.
    The first row group that a process reads may be read afar, if it begins near its first row, so
    that no first image waits for a whole file; those of the others do.
    """

    def __init__(self, files: FileSet, column: str, groups: NDArray[np.int64], stamp: str) -> None:
        """Open nothing yet.

        Args:
            files: that hold the rows; one that has not come yet is waited for.
            column: name of the column of bytes, such as "image.bytes".
            groups: (G, 3) int64, for each row group the position of its first row among all rows,
                the index of its file, and its number in that file.
            stamp: checksum of the files.
        """
        self.files = files
        self.column = column
        self.groups = groups
        self._stamp = stamp
        self._window: _Window | None = None
        self._has_begun = False
        self._process = os.getpid()

    def read(self, position: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            DataError: they cannot be read, or the row has none.
        """
        group = int(np.searchsorted(self.groups[:, 0], position, side="right")) - 1
        first, number, place = (int(value) for value in self.groups[group])
        path = str(self.files.paths[number])
        if self._process != os.getpid():
            self._window, self._process, self._has_begun = None, os.getpid(), False
        # Kept only after a successful read: after an error its position is not known.
        window, self._window = self._window, None
        with explained(path):
            if window is None or not window.reaches(group, position - first):
                is_near = not self._has_begun and position - first < NEAR
                source = self.files.soon(number) if is_near else self.files.at(number)
                self._has_begun = True
                window = _Window(source, self.column, group, place)
            data = window.read(position - first)
        self._window = window
        if not isinstance(data, bytes):
            raise DataError(
                f"{path}: bytes of the image in row {position - first} of row group "
                f"{place} expected, found none"
            )
        return data

    def stamp(self) -> str:
        """Return a checksum of the files' sizes and metadata."""
        return self._stamp

    def passed(self, position: int) -> None:
        """Take note that no image before this position is read any more."""
        group = int(np.searchsorted(self.groups[:, 0], position, side="right")) - 1
        self.files.passed(int(self.groups[group, 1]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None, "_has_begun": False}


class _Window:
    """A position in a row group, and the last few rows that were read."""

    def __init__(self, source: Path | BinaryIO, column: str, group: int, place: int) -> None:
        from pyarrow.parquet import ParquetFile

        self.group = group
        self.file = ParquetFile(source, pre_buffer=False, buffer_size=BUFFER)
        stored = stored_bytes(self.file, place)
        self.batches: Iterator[pa.RecordBatch] = self.file.iter_batches(
            rows_at_a_time(stored, most=ROWS, limit=MOST_BYTES),
            row_groups=[place],
            columns=[column],
            use_threads=False,
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


def rows_at_a_time(stored: int, *, most: int, limit: int) -> int:
    """Return how many rows may be in memory at a time, as each of them may be all that is stored.

    Args:
        stored: bytes of the row group.
        most: rows to take of a group that is small.
        limit: bytes of memory.
    """
    return max(1, min(most, limit // max(stored, 1)))


def stored_bytes(file: "ParquetFile", place: int) -> int:
    """Return the bytes of all columns of a row group, decompressed, as the metadata has them.

    Those of a single column are not asked for: pyarrow ends the process (C++ `terminate`) where the
    statistics of a column are damaged.
    """
    return int(file.metadata.row_group(place).total_byte_size)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Raise the errors of pyarrow in the block as a `DataError` that names the file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        # ValueError: a name that is no UTF-8.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"{path}: a whole Parquet file expected, found none or a damaged one ({cut(reason)}); "
            "fetch it again"
        ) from error
