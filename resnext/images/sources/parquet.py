"""Images in Parquet files, as Hugging Face stores data sets; needs the extra [parquet]."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.files import open_plain
from resnext.images.file_set import FileSet, LocalFiles
from resnext.images.image_set import ImageSet, PictureSet
from resnext.images.listing import reading
from resnext.images.names import LONGEST_NAME, Names, few
from resnext.images.sources.parquet_columns import (
    image_column,
    is_struct,
    label_column,
    stored_classes,
    stored_labels,
)
from resnext.images.sources.parquet_rows import (
    MOST_BYTES,
    Rows,
    explained,
    rows_at_a_time,
    stored_bytes,
)
from resnext.stores.threads import in_threads

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# Every row takes some dozens of bytes in memory, and next to none in a file. The largest sets of
# labelled pictures have fourteen million.
MOST_ROWS: Final = 20_000_000
THREADS: Final = 8  # that read the labels of files afar
NAMES: Final = 256  # rows whose names are read at a time
LONGEST_STORED: Final = 4 * LONGEST_NAME + 64  # bytes of a name, with what a page adds
PAGES: Final = 1 << 16  # bytes that the pages of a column add


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
    return ImageSet(
        root=root,
        ids=_ids(tables),
        labels=np.concatenate([table.labels for table in tables]),
        classes=tables[0].classes,
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

    afar: list[BinaryIO] = []

    def read(number: int) -> _Table:
        file = files.early(number)
        if not isinstance(file, Path):
            afar.append(file)
        return _Table.read(files.paths[number], file, labelled=labelled)

    def close() -> None:
        for file in afar:
            file.close()

    # Of files afar each small read waits for an answer.
    threads = 1 if isinstance(files, LocalFiles) else THREADS
    tables, total = [], 0
    for each in in_threads(read, len(files.paths), threads=threads, end=close):
        tables.append(each)
        total = _checked(each.path, total + each.count)
    first = tables[0]
    for table in tables[1:]:
        if (table.column, table.classes) != (first.column, first.classes):
            raise DataError(
                f"{table.path}: the columns and classes of {first.path} expected, found others; "
                "a pattern names the files that belong together"
            )
    if not total:
        raise DataError(f"{root}: rows with images expected, found none")
    return tables


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
        total.update(table.footer)
    return Rows(files, tables[0].column, _groups(tables), total.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What is known of a file without reading its images.

    Attributes:
        path: of the file.
        column: name of the column with the bytes of the images.
        classes: names of the classes, if the file has them.
        labels: (N,) int64; empty where none are wanted.
        names: of the N images, as far as the file has them.
        rows: number of rows of each row group.
        footer: the file's size (8 bytes) and its metadata, as stored.
    """

    path: Path
    column: str
    classes: tuple[str, ...] | None
    labels: NDArray[np.int64]
    names: list[str | None]
    rows: list[int]
    footer: bytes

    @property
    def count(self) -> int:
        """Count the images."""
        return sum(self.rows)

    @classmethod
    def read(cls, path: Path, source: Path | BinaryIO, *, labelled: bool) -> "_Table":
        """Read a file, which lies at a path or is read afar."""
        from pyarrow.parquet import ParquetFile

        if isinstance(source, Path):
            with reading(), open_plain(source, DataError):
                pass
        with explained(str(path)), ParquetFile(source, pre_buffer=False) as file:
            image, named = image_column(path, file.schema_arrow, labelled=labelled)
            label = label_column(path, file.schema_arrow) if labelled else None
            _checked(path, file.metadata.num_rows)
            names = _paths(path, file, image) if named else []
            labels, classes = np.empty(0, np.int64), None
            if label is not None:
                table = file.read(columns=[label], use_threads=False)
                classes = stored_classes(file.schema_arrow.metadata, label)
                labels = stored_labels(path, table.column(label), classes)
            metadata = file.metadata
            rows = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
            column = f"{image}.bytes" if is_struct(file.schema_arrow, image) else image
        return cls(
            path=path,
            column=column,
            classes=classes,
            labels=labels,
            names=names,
            rows=rows,
            footer=_footer(source),
        )


def _paths(path: Path, file: "ParquetFile", image: str) -> list[str | None]:
    """Return the names of the images, read a few at a time: a file may repeat long ones."""
    names: list[str | None] = []
    column = f"{image}.path"

    def check(fits: bool, found: str) -> None:
        if not fits:
            raise DataError(
                f"{path}: column {image}: names of at most {LONGEST_NAME} letters expected, found "
                f"{found}"
            )

    for place in range(file.num_row_groups):
        stored_size = stored_bytes(file, place)
        batches = file.iter_batches(
            rows_at_a_time(stored_size, most=NAMES, limit=MOST_BYTES),
            row_groups=[place],
            columns=[column],
            use_threads=False,
        )
        for batch in batches:
            stored = batch.column(0).field("path")
            size = stored.nbytes
            check(
                size <= PAGES + len(stored) * LONGEST_STORED,
                f"{len(stored)} of {size} bytes in all",
            )
            found = stored.to_pylist()
            longest = max((len(name) for name in found if name), default=0)
            check(longest <= LONGEST_NAME, f"one of {longest} letters")
            names += found
    return names


def _ids(tables: Sequence[_Table]) -> Names:
    """Return unique names of the images: those of their files, or else row numbers."""
    names = [name for table in tables for name in table.names]
    count = sum(table.count for table in tables)
    given = [name for name in names if name]
    if len(given) == count == len(set(given)):
        return Names(given)
    stems = [table.path.stem for table in tables]
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
        for place, rows in enumerate(table.rows):
            if rows:
                groups.append((first, number, place))
            first += rows
    return np.array(groups, np.int64)


def _footer(source: Path | BinaryIO) -> bytes:
    """Return a file's size and its metadata, which has the position and size of every column."""
    with source.open("rb") if isinstance(source, Path) else source as file:
        size = file.seek(-8, os.SEEK_END) + 8
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return size.to_bytes(8, "little") + file.read(length)
