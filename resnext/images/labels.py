"""Labels from a CSV file, for images that lie in one folder."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.files import read_once
from resnext.images.listing import SUFFIXES, reading
from resnext.images.names import LONGEST_NAME, brief, few, normal
from resnext.images.packing import BLOCK, packing_of, starts_tar

# First cells, in lower case, by which a header line is recognised.
TITLES: Final = frozenset(
    {"file", "filename", "file_name", "path", "image", "img", "imageid", "image_id", "name", "id"}
)
WNID: Final = re.compile(r"n\d{8}", re.ASCII)
NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
# What programs write for a column of numbers that once had a gap: "3.0", "3.000e+00".
FRACTION: Final = re.compile(
    r"[+-]?\d{1,20}(\.\d{0,20}(e[+-]?\d{1,3})?|e[+-]\d{1,3})", re.IGNORECASE | re.ASCII
)
MOST_LABELS: Final = 10**9
LARGEST: Final = 1 << 28  # bytes of a file of labels, of five million images or so
BUILT_IN: Final = (
    "leave out --labels for files called ILSVRC2012_val_*.JPEG, whose labels are built in"
)
LONGEST_LINE: Final = 1 << 16  # letters
NUMERAL: Final = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of some files.

    Attributes:
        source: the file that they come from, for messages.
        numbers: name of a file, without folders and perhaps without its suffix -> label.
        classes: names of the classes in the order of the labels; None if there are numbers only.
    """

    source: str
    numbers: Mapping[str, int]
    classes: tuple[str, ...] | None

    def assign(self, names: Sequence[str], root: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the labels (N,) int64 of some images, and notes for the user.

        Args:
            names: of N files, without folders.
            root: their folder, for messages.

        Raises:
            DataError: a file has no label.
        """
        keys = [name if name in self.numbers else name.rpartition(".")[0] for name in names]
        missing = [name for name, key in zip(names, keys, strict=True) if key not in self.numbers]
        if missing:  # macOS decomposes the accents in the names of files
            keys = self._composed(names)
            missing = [name for name, key in zip(names, keys, strict=True) if not key]
        if missing:
            first = brief(next(iter(self.numbers)))
            raise DataError(
                f"{self.source}: a label for each of the {len(names)} images in {root} expected, "
                f"found none for {few(missing)}; its first line labels {first}"
            )
        numbers = np.fromiter((self.numbers[key] for key in keys), np.int64, len(keys))
        others = len(self.numbers) - len(set(keys))
        note = f"{self.source}: {others} labels are of images that are not in {root}"
        return numbers, (note,) if others else ()

    def _composed(self, names: Sequence[str]) -> list[str]:
        """Return the key of each name whatever the form of its accents; "" where there is none."""
        keys = {normal(key): key for key in self.numbers}
        if len(keys) < len(self.numbers):  # two names that differ in nothing else
            keys = {key: key for key in self.numbers}
        plain = [normal(name) for name in names]
        return [keys.get(name) or keys.get(name.rpartition(".")[0], "") for name in plain]


def read_labels(path: Path) -> Labels:
    """Read a file of labels.

    It is a table of two columns, file and class, separated by commas, semicolons, tabs or spaces,
    with or without a header line. Classes that are all whole numbers are labels, counted from 0;
    whole numbers with a point, "3.0", are such numbers too, and other fractions are refused. Other
    classes get theirs by the order of their names as bytes, as class folders do.

    Raises:
        DataError: it cannot be read, or is no such table; the line is named.
    """
    with reading(path):
        if not path.exists():
            raise DataError(f"{path}: a file of labels expected, found nothing there")
        is_folder = path.is_dir()
        is_devkit = is_folder and (path / "data" / "meta.mat").is_file()
        # Read once: what came through a pipe is gone.
        data = b"" if is_folder else read_once(path, DataError, most=LARGEST)
    if is_devkit or packing_of(data) is not None or starts_tar(data[:BLOCK], path):
        raise DataError(
            f"{path}: a CSV of file and class expected, found an archive or ImageNet's devkit; "
            f"{BUILT_IN}"
        )
    if is_folder:
        raise DataError(f"{path}: a CSV of file and class expected, found a folder")
    if b"\0" in data[:4096]:
        raise DataError(f"{path}: a CSV of file and class, in UTF-8, expected, found no text")
    # Names of files need not be UTF-8, and are escaped in the same way where folders are listed.
    text = data.decode("utf-8-sig", "surrogateescape")
    return _from_rows(path, list(_rows(path, text)))


def _rows(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (number of the line, file, class) of each line that is not empty."""
    first = next((line for line in _lines(path, text) if line.strip()), "")
    separator = next((mark for mark in "\t,;" if mark in first), " ")
    table = csv.reader(_lines(path, text), delimiter=separator, skipinitialspace=True)
    try:
        for row in table:
            cells = [cell.strip() for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if not cells:
                continue
            if len(cells) == 1 and NUMBER.fullmatch(cells[0]):
                raise DataError(
                    f"{path}: line {table.line_num}: file and class expected, found a number "
                    "alone; if this is the devkit's ground truth, whose ids are not the order of "
                    f"the wnids: {BUILT_IN}"
                )
            if len(cells) != 2 or not all(cells):
                raise DataError(
                    f"{path}: line {table.line_num}: file and class expected, found "
                    f"{len(cells)} cells: {separator.join(cells)[:60]!r}"
                )
            if max(map(len, cells)) > LONGEST_NAME:
                raise DataError(
                    f"{path}: line {table.line_num}: names of at most {LONGEST_NAME} letters "
                    f"expected, found {brief(max(cells, key=len))}"
                )
            yield table.line_num, cells[0], _class_of(cells[1])
    except csv.Error as error:
        raise DataError(f"{path}: line {table.line_num}: not a CSV: {error}") from error


def _lines(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > LONGEST_LINE:  # the cells of a very long one would take long to part
            raise DataError(
                f"{path}: line {number}: file and class in at most {LONGEST_LINE} letters "
                f"expected, found {len(line)}: {line[:60]!r}"
            )
        yield line


def _class_of(cell: str) -> str:
    """Return the class: a whole number without its point, a wnid without Kaggle's boxes."""
    if FRACTION.fullmatch(cell):
        whole = whole_number(float(cell))
        return cell if whole is None else str(whole)
    first, _, rest = cell.partition(" ")
    return first if rest and WNID.fullmatch(first) else cell


def whole_number(value: object) -> int | None:
    """Return a label that was stored as a number of any kind; None if it is no label."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_label = 0 <= value < MOST_LABELS and value == int(value)
    return int(value) if is_label else None


def _from_rows(path: Path, rows: list[tuple[int, str, str]]) -> Labels:
    if len(rows) > 1 and _has_titles(rows):
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path}: lines of file and class expected, found none")
    files: dict[str, tuple[int, str]] = {}
    for line, name, found in rows:
        key = PurePosixPath(name.replace("\\", "/")).name
        before, _ = files.setdefault(key, (line, found))
        if before != line:
            raise DataError(
                f"{path}: line {line}: {brief(key)} has a label already, in line {before}"
            )
    _check_kinds(path, list(files.values()))
    if all(NUMBER.fullmatch(found) for _, found in files.values()):
        numbers = {name: int(found) for name, (_, found) in files.items()}
        return Labels(source=str(path), numbers=numbers, classes=None)
    classes = sorted({found for _, found in files.values()}, key=_bytes)
    places = {name: label for label, name in enumerate(classes)}
    numbers = {name: places[found] for name, (_, found) in files.items()}
    return Labels(source=str(path), numbers=numbers, classes=tuple(classes))


def _check_kinds(path: Path, rows: list[tuple[int, str]]) -> None:
    """Refuse classes that are partly numbers and partly names, or numbers that are no labels."""
    expected = bool(NUMBER.fullmatch(rows[0][1]))
    # "-1" may be the name of a class if no other class is a whole number from 0.
    numeric = NUMERAL.fullmatch(rows[0][1]) and any(NUMBER.fullmatch(found) for _, found in rows)
    for line, found in rows:
        if FRACTION.fullmatch(found) or (
            numeric and not NUMBER.fullmatch(found) and NUMERAL.fullmatch(found)
        ):
            raise DataError(
                f"{path}: line {line}: a whole number from 0 for the class expected, "
                f"found {found[:40]!r}"
            )
        if bool(NUMBER.fullmatch(found)) != expected:
            kind = "a number" if expected else "a name"
            raise DataError(
                f"{path}: line {line}: {kind} for the class expected, as in the lines before, "
                f"found {found[:40]!r}"
            )


def _has_titles(rows: list[tuple[int, str, str]]) -> bool:
    """Tell whether the first line is a header, by its words or by what the others hold."""
    (_, name, found), others = rows[0], rows[1:]
    if name.lower() in TITLES:
        return True
    if name.lower().endswith(SUFFIXES) or any(
        kind.fullmatch(found) for kind in (NUMERAL, FRACTION, WNID)
    ):
        return False
    return others[0][1].lower().endswith(SUFFIXES) or any(
        all(kind.fullmatch(other) for _, _, other in others) for kind in (NUMBER, WNID)
    )


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
