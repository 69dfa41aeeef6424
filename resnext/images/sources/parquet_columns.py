"""Which columns of a Parquet file hold images and labels; needs the extra [parquet]."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from resnext.errors import DataError
from resnext.fields import cut
from resnext.images.names import few

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
