"""Images in Parquet files, as Hugging Face stores data sets; needs the extra [parquet]."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.fields import cut
from resnext.files import open_plain
from resnext.images.image_set import ImageSet, PictureSet
from resnext.images.listing import reading
from resnext.images.names import LONGEST_NAME, Names, few
from resnext.images.sources.parquet_labels import stored_classes, stored_labels
from resnext.images.sources.parquet_rows import (
    MOST_BYTES,
    Rows,
    explained,
    rows_at_a_time,
    stored_bytes,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

IMAGE: Final = ("image", "img")
# Every row takes some dozens of bytes in memory, and next to none in a file. The largest sets of
# labelled pictures have fourteen million.
MOST_ROWS: Final = 20_000_000
NAMES: Final = 256  # rows whose names are read at a time
LONGEST_STORED: Final = 4 * LONGEST_NAME + 64  # bytes of a name, with what a page adds
PAGES: Final = 1 << 16  # bytes that the pages of a column add
LABEL: Final = ("label", "labels", "fine_label")
BOTH: Final = f"columns {IMAGE[0]} and {LABEL[0]}"


def parquet_images(paths: Sequence[Path], root: str) -> ImageSet:
    """Return the images of one or more files, in the order of the files and their rows.

    Args:
        paths: of the files.
        root: the path or pattern that was given.

    Raises:
        DataError: pyarrow is not installed, or a file is no Parquet file, is damaged, or lacks a
            column of images or of labels.
    """
    tables = _read(paths, root, labelled=True)
    return ImageSet(
        root=root,
        ids=_ids(tables),
        labels=np.concatenate([table.labels for table in tables]),
        classes=tables[0].classes,
        reader=_reader(tables),
    )


def parquet_pictures(paths: Sequence[Path], *, names: Sequence[str]) -> PictureSet:
    """Return the images of one or more files, whether or not they have labels.

    Each is called by its file, a slash and its own name, or else the number of its row.

    Args:
        paths: of the files.
        names: what the files are called.

    Raises:
        DataError: as of `parquet_images`; a column of labels is not read.
    """
    root = few(names)
    tables = _read(paths, root, labelled=False)
    ids = Names(
        f"{file}/{name or f'{row:06d}'}"
        for file, table in zip(names, tables, strict=True)
        for row, name in enumerate(table.names or [None] * table.count)
    )
    return PictureSet(root=root, ids=ids, reader=_reader(tables))


def _read(paths: Sequence[Path], root: str, *, labelled: bool) -> "list[_Table]":
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{root}: reading Parquet takes pyarrow, which cannot be imported ({error}); "
            "`pip install pyarrow` brings it"
        ) from error
    tables: list[_Table] = []
    before = 0
    for path in paths:
        tables.append(_Table.read(path, before=before, labelled=labelled))
        before += tables[-1].count
    first = tables[0]
    for table in tables[1:]:
        if (table.column, table.classes) != (first.column, first.classes):
            raise DataError(
                f"{table.path}: the columns and classes of {first.path} expected, found others; "
                "a pattern names the files that belong together"
            )
    if not before:
        raise DataError(f"{root}: rows with images expected, found none")
    return tables


def _reader(tables: "Sequence[_Table]") -> Rows:
    total = hashlib.sha256()
    for table in tables:
        total.update(table.footer)
    paths = [str(table.path) for table in tables]
    return Rows(paths, tables[0].column, _groups(tables), total.hexdigest())


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
    def read(cls, path: Path, *, before: int, labelled: bool) -> "_Table":
        """Read a file that follows others, which have so many rows."""
        from pyarrow.parquet import ParquetFile

        with reading(), open_plain(path, DataError):
            pass
        with explained(str(path)), ParquetFile(path, pre_buffer=False) as file:
            image, named = _image(path, file.schema_arrow, labelled=labelled)
            label = _label(path, file.schema_arrow) if labelled else None
            if (total := before + file.metadata.num_rows) > MOST_ROWS:
                raise DataError(
                    f"{path}: at most {MOST_ROWS:,} rows expected, found "
                    f"{total:,}; take a part of them, in files of their own"
                )
            names = _paths(path, file, image) if named else []
            labels, classes = np.empty(0, np.int64), None
            if label is not None:
                table = file.read(columns=[label], use_threads=False)
                classes = stored_classes(file.schema_arrow.metadata, label)
                labels = stored_labels(path, table.column(label), classes)
            metadata = file.metadata
            rows = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
            column = f"{image}.bytes" if _is_struct(file.schema_arrow, image) else image
        return cls(
            path=path,
            column=column,
            classes=classes,
            labels=labels,
            names=names,
            rows=rows,
            footer=_footer(path),
        )


def _column(path: Path, schema: "pa.Schema", choices: Sequence[str], expected: str) -> str:
    """Return the first of some columns that a file has."""
    found = next((name for name in choices if name in schema.names), None)
    if found is None:
        raise DataError(f"{path}: {expected} expected, found {few(schema.names)}")
    if (times := schema.names.count(found)) > 1:
        raise DataError(
            f"{path}: one column {found} expected, found {times}; write the file anew with the "
            "one that is meant"
        )
    return found


def _label(path: Path, schema: "pa.Schema") -> str:
    """Return the name of the column of labels."""
    from pyarrow import types

    label = _column(path, schema, LABEL, BOTH)
    numeric = schema.field(label).type
    if not (types.is_integer(numeric) or types.is_floating(numeric)):
        raise DataError(
            f"{path}: column {label}: whole numbers expected, found {cut(str(numeric))}"
        )
    return label


def _image(path: Path, schema: "pa.Schema", *, labelled: bool) -> tuple[str, bool]:
    """Return the name of the column of images, and whether images have names."""
    import pyarrow as pa
    from pyarrow import types

    image = _column(path, schema, IMAGE, BOTH if labelled else f"a column {IMAGE[0]}")
    kind = schema.field(image).type
    parts = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)}
    stored = parts.get("bytes") if types.is_struct(kind) else kind
    if stored is None or not (types.is_binary(stored) or types.is_large_binary(stored)):
        raise DataError(
            f"{path}: column {image}: bytes of image files, alone or as `bytes` beside `path`, "
            f"expected, found {cut(str(kind))}"
        )
    path_type = parts.get("path", pa.null())
    named = types.is_string(path_type) or types.is_large_string(path_type)
    return image, named


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


def _is_struct(schema: "pa.Schema", column: str) -> bool:
    from pyarrow import types

    return bool(types.is_struct(schema.field(column).type))


def _footer(path: Path) -> bytes:
    """Return a file's size and its metadata, which has the position and size of every column."""
    with path.open("rb") as file:
        size = file.seek(-8, os.SEEK_END) + 8
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return size.to_bytes(8, "little") + file.read(length)
