"""Images in Parquet files, as Hugging Face stores data sets; needs the extra [parquet]."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.file_set import FileSet, LocalFiles
from resnext.images.image_set import ImageSet, PictureSet
from resnext.images.names import Names, few
from resnext.images.sources.parquet_columns import stored_labels
from resnext.images.sources.parquet_layout import ColumnValues, StoredColumns
from resnext.images.sources.parquet_rows import Rows
from resnext.stores.threads import in_threads

# Every row takes some dozens of bytes in memory, and next to none in a file. The largest sets of
# labelled pictures have fourteen million.
MOST_ROWS: Final = 20_000_000
THREADS: Final = 32  # that read the labels of files afar, and wait for answers most of the time
PARTS: Final = 4  # that all files are read in, for each of these threads, where they are few


def parquet_images(files: FileSet, root: str) -> ImageSet:
    """Return the images of one or more files, in the order of the files and their rows.

    Of files that have not come yet the labels and names are read afar, and the images when they
    have.

    Args:
        files: one or more.
        root: the path, pattern or address that was given.

    Raises:
        DataError: pyarrow is not installed, or a file is no Parquet file, is damaged, or lacks a
            column of images or of labels.
    """
    tables = _read(files, root, labelled=True)
    ids = _names(tables)
    return ImageSet(
        root=root,
        ids=ids or _numbers(tables),
        numbered=ids is None,
        labels=np.concatenate([table.labels for table in tables]),
        classes=tables[0].layout.classes,
        reader=_reader(files, tables),
    )


def parquet_pictures(files: FileSet, *, names: Sequence[str]) -> PictureSet:
    """Return the images of one or more files, whether or not they have labels.

    Each is called by its file, a slash and its own name, or else the number of its row.

    Args:
        files: one or more.
        names: what the files are called.

    Raises:
        DataError: as of `parquet_images`; a column of labels is not read.
    """
    root = few(names)
    tables = _read(files, root, labelled=False)
    ids = Names(
        f"{file}/{name or f'{row:06d}'}"
        for file, table in zip(names, tables, strict=True)
        for row, name in enumerate(table.names or [None] * table.count)
    )
    return PictureSet(root=root, ids=ids, reader=_reader(files, tables))


def _read(files: FileSet, root: str, *, labelled: bool) -> "list[_Table]":
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{root}: reading Parquet takes pyarrow, which cannot be imported ({error}); "
            "`pip install pyarrow` brings it"
        ) from error

    tables = _layouts_and_values(files, labelled=labelled)
    first = tables[0].layout
    for layout in (table.layout for table in tables[1:]):
        if (layout.column, layout.classes) != (first.column, first.classes):
            raise DataError(
                f"{layout.path}: the columns and classes of {first.path} expected, found others; "
                "a pattern names the files that belong together"
            )
    if not sum(table.count for table in tables):
        raise DataError(f"{root}: rows with images expected, found none")
    return tables


def _layouts_and_values(files: FileSet, *, labelled: bool) -> "list[_Table]":
    """Read the metadata of all files, then their labels and names.

    Of files afar each read waits for an answer: many are read at once, and of a few files many
    row groups each.
    """
    count, afar = len(files.paths), _Afar(files)
    threads = 1 if isinstance(files, LocalFiles) else THREADS
    layouts: list[StoredColumns] = []
    rows = 0

    def layout(number: int) -> StoredColumns:
        return StoredColumns.read(files.paths[number], afar.opened(number), labelled=labelled)

    def end() -> None:  # what was opened is read on
        if len(layouts) < count:
            afar.close()

    for each in in_threads(layout, count, threads=threads, end=end):
        layouts.append(each)
        rows = _checked(each.path, rows + sum(each.rows))
    most = max(1, PARTS * threads // count) if threads > 1 else 1
    parts = [(number, groups) for number, each in enumerate(layouts) for groups in each.parts(most)]

    def values(place: int) -> ColumnValues:
        number, groups = parts[place]
        is_last = groups[-1] == len(layouts[number].rows) - 1  # whose end the metadata came with
        source = afar.opened(number) if is_last else afar.opened_anew(number)
        return layouts[number].values(source, groups)

    found = in_threads(values, len(parts), threads=threads, end=afar.close)
    of_files: list[list[ColumnValues]] = [[] for _ in layouts]
    for (number, _), each_values in zip(parts, found, strict=True):
        of_files[number].append(each_values)
    return [_Table.of(each, read) for each, read in zip(layouts, of_files, strict=True)]


class _Afar:
    """What was opened to read files of which some have not come."""

    def __init__(self, files: FileSet) -> None:
        self._files = files
        self._kept: dict[int, Path | BinaryIO] = {}
        self._open: list[BinaryIO] = []

    def opened(self, number: int) -> Path | BinaryIO:
        """Return a file, always the same; one thread at a time uses it."""
        if number not in self._kept:
            self._kept[number] = self.opened_anew(number)
        return self._kept[number]

    def opened_anew(self, number: int) -> Path | BinaryIO:
        """Return a file for one thread."""
        file = self._files.early(number)
        if not isinstance(file, Path):
            self._open.append(file)
        return file

    def close(self) -> None:
        """Close all files, so that no thread reads on."""
        for file in self._open:
            file.close()


def _checked(path: Path, rows: int) -> int:
    if rows > MOST_ROWS:
        raise DataError(
            f"{path}: at most {MOST_ROWS:,} rows expected, found "
            f"{rows:,}; take a part of them, in files of their own"
        )
    return rows


def _reader(files: FileSet, tables: "Sequence[_Table]") -> Rows:
    total = hashlib.sha256()
    for table in tables:
        total.update(table.layout.footer)
    return Rows(files, tables[0].layout.column, _groups(tables), total.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What is known of a file without reading its images.

    Attributes:
        layout: where it has its columns.
        labels: (N,) int64; empty where none are wanted.
        names: of the N images, as far as the file has them.
    """

    layout: StoredColumns
    labels: NDArray[np.int64]
    names: list[str | None]

    @property
    def count(self) -> int:
        """Count the images."""
        return sum(self.layout.rows)

    @classmethod
    def of(cls, layout: StoredColumns, values: Sequence[ColumnValues]) -> "_Table":
        """Return what was read of a file, part by part."""
        import pyarrow as pa

        chunks = [chunk for each in values for chunk in each.labels]
        labels = np.empty(0, np.int64)
        if chunks:
            labels = stored_labels(layout.path, pa.chunked_array(chunks), layout.classes)
        return cls(layout=layout, labels=labels, names=[n for each in values for n in each.names])


def _names(tables: Sequence[_Table]) -> Names | None:
    """Return the names of the images, if all have one of their own."""
    names = [name for table in tables for name in table.names]
    count = sum(table.count for table in tables)
    given = [name for name in names if name]
    return Names(given) if len(given) == count == len(set(given)) else None


def _numbers(tables: Sequence[_Table]) -> Names:
    """Return unique names of the images by files and row numbers."""
    stems = [table.layout.path.stem for table in tables]
    if len(set(stems)) < len(stems):
        stems = [f"{number}/{stem}" for number, stem in enumerate(stems)]
    return Names(
        f"{stem}/{row:06d}"
        for stem, table in zip(stems, tables, strict=True)
        for row in range(table.count)
    )


def _groups(tables: Sequence[_Table]) -> NDArray[np.int64]:
    groups: list[tuple[int, int, int]] = []
    first = 0
    for number, table in enumerate(tables):
        for place, rows in enumerate(table.layout.rows):
            if rows:
                groups.append((first, number, place))
            first += rows
    return np.array(groups, np.int64)
