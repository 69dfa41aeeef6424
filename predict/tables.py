"""Predictions and features as Parquet files, written some rows at a time; needs pyarrow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from predict.arrays import row_of
from predict.errors import DestinationError
from predict.prediction import Prediction
from predict.text_rows import Add

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are written at a time, at most; of features no more than have so many bytes.
ROWS: Final = 4096
BYTES: Final = 1 << 23


def require_pyarrow(path: str) -> None:
    """Check that Parquet can be written.

    Raises:
        DestinationError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DestinationError(
            f"{path}: writing Parquet takes pyarrow, which cannot be imported ({error}); "
            "`pip install pyarrow` brings it"
        ) from error


@contextmanager
def parquet_rows(file: IO[bytes], top: int) -> Iterator[Add]:  # noqa: ARG001 - as of the others
    """Yield a function that writes a row for a picture: image, labels, names, probabilities, error.

    Args:
        file: at its start.
        top: number of classes that a row has, at most.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("image", pa.string()),
            ("labels", pa.list_(pa.int32())),
            ("names", pa.list_(pa.string())),
            ("probabilities", pa.list_(pa.float32())),
            ("error", pa.string()),
        ]
    )

    def columns(rows: Sequence[Prediction]) -> list[Any]:
        return [
            [_text(row.image) for row in rows],
            [[answer.label for answer in row.top] for row in rows],
            [[_text(answer.name) for answer in row.top] for row in rows],
            [[answer.probability for answer in row.top] for row in rows],
            [None if row.error is None else _text(row.error) for row in rows],
        ]

    with _table(file, schema, columns, ROWS) as add:
        yield add


@contextmanager
def parquet_features(
    file: IO[bytes], names: Sequence[str], *, width: int, layer: str
) -> Iterator[Add]:
    """Yield a function that writes a row for a picture: image, and features of a fixed length.

    Args:
        file, names, width, layer: as for `predict.arrays.npy_rows`; the layer is in the metadata.
    """
    import pyarrow as pa

    kind = pa.list_(pa.float32(), width)
    schema = pa.schema([("image", pa.string()), ("features", kind)], metadata={"layer": layer})

    def columns(rows: Sequence[Prediction]) -> list[Any]:
        flat = np.concatenate([row_of(row, width) for row in rows])
        features = pa.FixedSizeListArray.from_arrays(pa.array(flat), width)
        return [[_text(row.image) for row in rows], features]

    del names  # each row brings its own
    with _table(file, schema, columns, min(ROWS, max(BYTES // (4 * width), 1))) as add:
        yield add


@contextmanager
def _table(
    file: IO[bytes],
    schema: "pa.Schema",
    columns: Callable[[Sequence[Prediction]], list[Any]],
    most: int,
) -> Iterator[Add]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept: list[Prediction] = []

    def write() -> None:
        values = zip(columns(kept), schema, strict=True)
        arrays = [
            value if isinstance(value, pa.Array) else pa.array(value, field.type)
            for value, field in values
        ]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        kept.clear()

    def add(prediction: Prediction) -> None:
        kept.append(prediction)
        if len(kept) >= most:
            write()

    writer = pq.ParquetWriter(file, schema)
    try:
        yield add
        if kept:
            write()
    finally:
        writer.close()


def _text(text: str) -> str:
    """Return a text that UTF-8 can hold: bytes of a name that are none are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
