"""Columns of Parquet files: which hold images and labels, and the labels; needs [parquet]."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.fields import cut
from resnext.images.labels import MOST_LABELS
from resnext.images.names import LONGEST_NAME, few

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE: Final = ("image", "img")
LABEL: Final = ("label", "labels", "fine_label")
BOTH: Final = f"columns {IMAGE[0]} and {LABEL[0]}"


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


def label_column(path: Path, schema: "pa.Schema") -> str:
    """Return the name of the column of labels."""
    from pyarrow import types

    label = _column(path, schema, LABEL, BOTH)
    numeric = schema.field(label).type
    if not (types.is_integer(numeric) or types.is_floating(numeric)):
        raise DataError(
            f"{path}: column {label}: whole numbers expected, found {cut(str(numeric))}"
        )
    return label


def image_column(path: Path, schema: "pa.Schema", *, labelled: bool) -> tuple[str, bool]:
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


def is_struct(schema: "pa.Schema", column: str) -> bool:
    """Tell whether a column holds several values a row."""
    from pyarrow import types

    return bool(types.is_struct(schema.field(column).type))


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
