"""The list of contributed ledgers: `contributions.toml`, a row for each file of this folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resnext.errors import DataError
from resnext.fields import check_known, check_table, check_text, read_toml
from resnext.files import whole_file

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parent
LIST: Final = "contributions.toml"
SUFFIXES: Final = (".jsonl.gz", ".jsonl.zst")
FIELDS: Final = ("file", "by", "data", "claims", "checkpoint")
MOST_LETTERS: Final = 200
IMAGES: Final = "imagenet/val"
HEAD: Final = """\
# Who contributed each ledger of this folder; `python -m evidence --by NAME` adds rows.
# data, claims and checkpoint stand in the command that repeats the measurement, where they are
# others than imagenet/val, the built-in claims and the network's name.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A ledger of this folder.

    Attributes:
        file: its name.
        by: who measured it.
        data: the images, as the command to repeat it names them.
        claims: a table of claims, relative to the repository; None for the built-in one.
        checkpoint: as the command names it; None for the network's name.
    """

    file: str
    by: str
    data: str = IMAGES
    claims: str | None = None
    checkpoint: str | None = None

    def to_text(self) -> str:
        """Return the row as TOML."""
        usual = Contribution(file="", by="")
        lines = ["[[ledger]]"]
        for name in FIELDS:
            value = getattr(self, name)
            if value is not None and value != getattr(usual, name):
                lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
        return "\n".join(lines) + "\n"


def read_contributions(folder: Path = FOLDER) -> tuple[Contribution, ...]:
    """Return the rows of the list, in its order.

    Raises:
        DataError: it is damaged, names a file that is missing, or one twice.
        OSError: it cannot be read.
    """
    path = folder / LIST
    table = read_toml(path, DataError)
    check_known(table, ("ledger",), str(path), DataError)
    rows = table.get("ledger", [])
    if not isinstance(rows, list):
        raise DataError(f"{path}: rows [[ledger]] expected, found something else")
    found = [_contribution(row, f"{path}: ledger {n}") for n, row in enumerate(rows, 1)]
    names = [each.file for each in found]
    for name in names:
        if names.count(name) > 1 or not (folder / name).is_file():
            raise DataError(f"{path}: every file of {folder} once expected, found {name!r}")
    return tuple(found)


def _contribution(row: object, where: str) -> Contribution:
    fields = check_table(row, where, DataError)
    check_known(fields, FIELDS, where, DataError)
    for name in ("file", "by"):
        if name not in fields:
            raise DataError(f"{where}: {name} expected, found none")
    texts = {
        name: check_text(value, f"{where}: {name}", DataError) for name, value in fields.items()
    }
    for name, text in texts.items():
        if not text.isprintable() or not 0 < len(text) <= MOST_LETTERS:
            raise DataError(
                f"{where}: {name} must be a text of 1 to {MOST_LETTERS} letters that can be printed"
            )
    return Contribution(**texts)


def unlisted(rows: Sequence[Contribution], folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of the ledgers of the folder that no row is about."""
    known = {row.file for row in rows}
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    return tuple(name for name in names if name not in known)


def write_contributions(rows: Sequence[Contribution], folder: Path = FOLDER) -> None:
    """Write the list anew."""
    with whole_file(folder / LIST) as file:
        file.write("\n".join([HEAD, *(row.to_text() for row in rows)]).encode())
