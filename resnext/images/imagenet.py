"""The thousand classes of ILSVRC2012, in the order of their labels.

Keyed by their WordNet ids, never by their names: `crane` and `maillot` are each two classes.
"""

import csv
from functools import cache
from pathlib import Path

WNIDS: tuple[str, ...]
NAMES: tuple[str, ...]


def __getattr__(name: str) -> tuple[str, ...]:
    """Read the table when one of its columns is first asked for."""
    columns = {"WNIDS": "wnid", "NAMES": "name"}
    if name not in columns:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _columns()[columns[name]]


@cache
def _columns() -> dict[str, tuple[str, ...]]:
    path = Path(__file__).with_name("imagenet_classes.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["index"] for row in rows] == [str(label) for label in range(1000)]
    return {column: tuple(row[column] for row in rows) for column in ("wnid", "name")}
