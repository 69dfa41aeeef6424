"""Where a Parquet file has its images, labels and names, and the latter two; needs [parquet]."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from resnext.errors import DataError
from resnext.files import open_plain
from resnext.images.listing import reading
from resnext.images.names import LONGEST_NAME
from resnext.images.sources.parquet_columns import (
    image_column,
    is_struct,
    label_column,
    stored_classes,
)
from resnext.images.sources.parquet_rows import (
    MOST_BYTES,
    explained,
    rows_at_a_time,
    stored_bytes,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

NAMES: Final = 256  # rows whose names are read at a time
LONGEST_STORED: Final = 4 * LONGEST_NAME + 64  # bytes of a name, with what a page adds
PAGES: Final = 1 << 16  # bytes that the pages of a column add


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnValues:
    """Labels and names of some row groups, in their order.

    Attributes:
        labels: as they are stored; none where none are wanted.
        names: of the images, as far as the file has them.
    """

    labels: "Sequence[pa.Array]"
    names: Sequence[str | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredColumns:
    """What the metadata of a file says.

    Attributes:
        path: of the file.
        image: name of the column of images.
        column: name of that of their bytes, "image.bytes" say.
        label: name of the column of labels; None where none are wanted.
        is_named: the images have names.
        classes: names of the classes, if the file has them.
        rows: number of rows of each row group.
        footer: the file's size (8 bytes) and its metadata, as stored.
        metadata: the same as pyarrow has it.
    """

    path: Path
    image: str
    column: str
    label: str | None
    is_named: bool
    classes: tuple[str, ...] | None
    rows: list[int]
    footer: bytes
    metadata: Any

    @classmethod
    def read(cls, path: Path, source: Path | BinaryIO, *, labelled: bool) -> "StoredColumns":
        """Read the metadata of a file, which lies at a path or is read afar.

        Raises:
            DataError: it is no Parquet file, is damaged, or lacks a column.
        """
        from pyarrow.parquet import ParquetFile

        if isinstance(source, Path):
            with reading(), open_plain(source, DataError):
                pass
        with explained(str(path)), _kept_open(source) as opened:
            file = ParquetFile(opened, pre_buffer=False)
            schema, metadata = file.schema_arrow, file.metadata
            image, named = image_column(path, schema, labelled=labelled)
            label = label_column(path, schema) if labelled else None
            classes = None if label is None else stored_classes(schema.metadata, label)
            groups = range(metadata.num_row_groups)
            return cls(
                path=path,
                image=image,
                column=f"{image}.bytes" if is_struct(schema, image) else image,
                label=label,
                is_named=named,
                classes=classes,
                rows=[metadata.row_group(place).num_rows for place in groups],
                footer=_footer(opened),
                metadata=metadata,
            )

    def parts(self, most: int) -> Iterator[range]:
        """Yield the row groups in at most so many parts, one after the other."""
        count = len(self.rows)
        wanted = count and (self.label is not None or self.is_named)
        size = max(1, -(-count // most))
        yield from (
            range(first, min(first + size, count)) for first in range(0, count, size) if wanted
        )

    def values(self, source: Path | BinaryIO, groups: Sequence[int]) -> ColumnValues:
        """Read labels and names of some row groups.

        Raises:
            DataError: the file is damaged, or has names that are too long.
        """
        from pyarrow.parquet import ParquetFile

        with explained(str(self.path)), _kept_open(source) as opened:
            file = ParquetFile(opened, metadata=self.metadata, pre_buffer=False)
            names = _names(self.path, file, self.image, groups) if self.is_named else []
            labels: list[pa.Array] = []
            if self.label is not None:
                table = file.read_row_groups([*groups], columns=[self.label], use_threads=False)
                labels = table.column(self.label).chunks
        return ColumnValues(labels=labels, names=names)


@contextmanager
def _kept_open(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open the file at a path for the block; one that is open already stays so."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _names(path: Path, file: "ParquetFile", image: str, groups: Sequence[int]) -> list[str | None]:
    """Return the names of the images, read a few at a time: a file may repeat long ones."""
    names: list[str | None] = []
    column = f"{image}.path"

    def check(fits: bool, found: str) -> None:
        if not fits:
            raise DataError(
                f"{path}: column {image}: names of at most {LONGEST_NAME} letters expected, found "
                f"{found}"
            )

    for place in groups:
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


def _footer(file: BinaryIO) -> bytes:
    """Return a file's size and its metadata, which has the position and size of every column."""
    size = file.seek(-8, os.SEEK_END) + 8
    length = int.from_bytes(file.read(4), "little")
    file.seek(-8 - length, os.SEEK_END)
    return size.to_bytes(8, "little") + file.read(length)
