"""Images in Parquet files, as Hugging Face stores data sets; needs the extra [parquet]."""

import hashlib
import json
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
from resnext.images.image_set import ImageSet
from resnext.images.labels import MOST_LABELS
from resnext.images.listing import reading
from resnext.images.names import LONGEST_NAME, Names, few
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


def parquet_images(paths: Sequence[Path], root: str) -> ImageSet:
    """Return the images of one or more files, in the order of the files and their rows.

    Args:
        paths: of the files.
        root: the path or pattern that was given.

    Raises:
        DataError: pyarrow is not installed, or a file is no Parquet file, is damaged, or lacks a
            column of images or of labels.
    """
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
        tables.append(_Table.read(path, before=before))
        before += len(tables[-1].labels)
    first = tables[0]
    for table in tables[1:]:
        if (table.column, table.classes) != (first.column, first.classes):
            raise DataError(
                f"{table.path}: the columns and classes of {first.path} expected, found others; "
                "a pattern names the files that belong together"
            )
    labels = np.concatenate([table.labels for table in tables])
    if not len(labels):
        raise DataError(f"{root}: rows with images expected, found none")
    total = hashlib.sha256()
    for table in tables:
        total.update(table.footer)
    return ImageSet(
        root=root,
        ids=_ids(tables),
        labels=labels,
        classes=first.classes,
        reader=Rows(
            [str(path) for path in paths], first.column, _groups(tables), total.hexdigest()
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What is known of a file without reading its images.

    Attributes:
        path: of the file.
        column: name of the column with the bytes of the images.
        classes: names of the classes, if the file has them.
        labels: (N,) int64.
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

    @classmethod
    def read(cls, path: Path, *, before: int) -> "_Table":
        """Read a file that follows others, which have so many rows."""
        from pyarrow.parquet import ParquetFile

        with reading(), open_plain(path, DataError):
            pass
        with explained(str(path)), ParquetFile(path, pre_buffer=False) as file:
            image, label, named = _columns(path, file.schema_arrow)
            if (total := before + file.metadata.num_rows) > MOST_ROWS:
                raise DataError(
                    f"{path}: at most {MOST_ROWS:,} rows expected, found "
                    f"{total:,}; take a part of them, in files of their own"
                )
            table = file.read(columns=[label], use_threads=False)
            names = _paths(path, file, image) if named else []
            classes = _classes(file.schema_arrow.metadata, label)
            metadata = file.metadata
            rows = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
            labels = _labels(path, table.column(label), classes)
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


def _columns(path: Path, schema: "pa.Schema") -> tuple[str, str, bool]:
    """Return the names of the image and label columns, and whether images have names."""
    import pyarrow as pa
    from pyarrow import types

    image = next((name for name in IMAGE if name in schema.names), None)
    label = next((name for name in LABEL if name in schema.names), None)
    if image is None or label is None:
        raise DataError(
            f"{path}: columns {IMAGE[0]} and {LABEL[0]} expected, found {few(schema.names)}"
        )
    for name in (image, label):
        if (times := schema.names.count(name)) > 1:
            raise DataError(
                f"{path}: one column {name} expected, found {times}; write the file anew with the "
                "one that is meant"
            )
    kind = schema.field(image).type
    parts = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)}
    stored = parts.get("bytes") if types.is_struct(kind) else kind
    if stored is None or not (types.is_binary(stored) or types.is_large_binary(stored)):
        raise DataError(
            f"{path}: column {image}: bytes of image files, alone or as `bytes` beside `path`, "
            f"expected, found {cut(str(kind))}"
        )
    numeric = schema.field(label).type
    if not (types.is_integer(numeric) or types.is_floating(numeric)):
        raise DataError(
            f"{path}: column {label}: whole numbers expected, found {cut(str(numeric))}"
        )
    path_type = parts.get("path", pa.null())
    named = types.is_string(path_type) or types.is_large_string(path_type)
    return image, label, named


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


def _labels(
    path: Path, column: "pa.ChunkedArray", classes: tuple[str, ...] | None
) -> NDArray[np.int64]:
    if column.null_count:
        raise DataError(f"{path}: a label in each row expected, found {column.null_count} without")
    stored = column.to_numpy()
    if stored.dtype.kind == "f":  # pandas writes so a column that once had a gap
        fractions = ~((stored >= 0) & (stored < MOST_LABELS) & (stored == np.floor(stored)))
        if fractions.any():
            raise DataError(
                f"{path}: whole numbers from 0 as labels expected, found "
                f"{stored[fractions][0]} in row {fractions.argmax()}"
            )
    labels: NDArray[np.int64] = stored.astype(np.int64)
    limit = len(classes) if classes is not None else None
    wrong = (labels < 0) | (labels >= limit) if limit is not None else labels < 0
    if wrong.any():
        most = "" if limit is None else f" and below {limit}, the number of class names,"
        raise DataError(
            f"{path}: labels from 0{most} expected, found {labels[wrong][0]} in row "
            f"{wrong.argmax()}; -1 stands for no label, as in a test set"
        )
    return labels


def _classes(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
    """Return the names of the classes from the metadata that Hugging Face adds to the schema."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    if max(map(len, names), default=0) > LONGEST_NAME:
        return None
    return tuple(names)


def _ids(tables: Sequence[_Table]) -> Names:
    """Return unique names of the images: those of their files, or else row numbers."""
    names = [name for table in tables for name in table.names]
    count = sum(len(table.labels) for table in tables)
    given = [name for name in names if name]
    if len(given) == count == len(set(given)):
        return Names(given)
    stems = [table.path.stem for table in tables]
    if len(set(stems)) < len(stems):
        stems = [f"{number}/{stem}" for number, stem in enumerate(stems)]
    return Names(
        f"{stem}/{row:06d}"
        for stem, table in zip(stems, tables, strict=True)
        for row in range(len(table.labels))
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
