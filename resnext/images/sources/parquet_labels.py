"""Labels of images in Parquet files, and the names of their classes; needs the extra [parquet]."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.images.labels import MOST_LABELS
from resnext.images.names import LONGEST_NAME

if TYPE_CHECKING:
    import pyarrow as pa


def stored_labels(
    path: Path, column: "pa.ChunkedArray", classes: tuple[str, ...] | None
) -> NDArray[np.int64]:
    """Return the labels (N,) of a column.

    Args:
        path: of the file, for messages.
        column: of whole numbers, or of floats that are whole.
        classes: names of the classes; None if they are not known.

    Raises:
        DataError: a row without a label, or with one that is none of the classes.
    """
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


def stored_classes(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
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
