"""Predictions as text, written as they come: CSV, JSON lines, and one JSON object."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Final, Protocol

from predict.prediction import Prediction
from resnext.terminal.text import csv_cell


class Target(Protocol):
    """Takes bytes: a file, or stdout."""

    def write(self, data: bytes, /) -> object:
        """Write them."""


# Takes a prediction, and writes it.
Add = Callable[[Prediction], None]

# Significant digits of a probability in text: more than the arithmetic of float32 has.
DIGITS: Final = 6


def fields_of(prediction: Prediction) -> dict[str, object]:
    """Return a prediction as values that JSON takes; `error` only where there is one."""
    top = [
        {
            "label": answer.label,
            "name": answer.name,
            "probability": float(f"{answer.probability:.{DIGITS}g}"),
        }
        for answer in prediction.top
    ]
    fields: dict[str, object] = {"image": prediction.image, "top": top}
    return fields if prediction.error is None else {**fields, "error": prediction.error}


@contextmanager
def csv_rows(file: Target, top: int) -> Iterator[Add]:
    """Yield a function that writes a row for a picture.

    A name that a spreadsheet would run as a formula, or that a terminal would obey, is made
    harmless. Bytes of names that are no UTF-8 keep their value.

    Args:
        file: takes UTF-8 in the form of RFC 4180, but for line ends, which are "\\n".
        top: number of classes that a row has room for.
    """
    columns = ((f"top{n}", f"top{n}_name", f"top{n}_probability") for n in range(1, top + 1))
    header = _csv_line(["image", *chain.from_iterable(columns), "error"])

    def add(prediction: Prediction) -> None:
        nonlocal header
        cells = [csv_cell(prediction.image)]
        for each in prediction.top:
            cells += [str(each.label), csv_cell(each.name), f"{each.probability:.{DIGITS}g}"]
        cells += [""] * (1 + 3 * top - len(cells))
        # The header comes with the first row: an error before that leaves stdout empty.
        file.write(header + _csv_line([*cells, csv_cell(prediction.error or "")]))
        header = b""

    yield add


@contextmanager
def json_lines(file: Target, top: int) -> Iterator[Add]:  # noqa: ARG001 - as of the others
    """Yield a function that writes a JSON object and a line end for a picture."""
    yield lambda prediction: _write(file, json.dumps(fields_of(prediction)) + "\n")


@contextmanager
def json_object(file: Target) -> Iterator[Add]:
    """Yield a function that writes a picture into a list; the object is complete at the end."""
    before = '{"predictions": ['

    def add(prediction: Prediction) -> None:
        nonlocal before
        _write(file, f"{before}\n  {json.dumps(fields_of(prediction))}")
        before = ","

    try:
        yield add
    finally:  # what ends the work early leaves a whole object of what is done
        if before == ",":
            _write(file, "\n]}\n")


def _csv_line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _write(file: Target, text: str) -> None:
    file.write(text.encode())
