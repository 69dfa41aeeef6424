"""predictions.csv: what every run decided on every image."""

import csv
import io
from collections.abc import Iterator
from typing import IO, Final

from resnext.terminal.text import csv_cell
from validate.ledger.predictions import HEADER
from validate.reports.statistics import Answers, answers
from validate.verdicts.results import Report

FIVE: Final = 5


def write_predictions(report: Report, file: IO[bytes]) -> None:
    """Write a row for each image and run, run by run, the images in the order of the set.

    Bytes of names that are no UTF-8 keep their value. A name that a spreadsheet would run as a
    formula, or that a terminal would obey, is made harmless; see `csv_cell`.

    Args:
        report: what was measured.
        file: takes UTF-8 in the form of RFC 4180, but for line ends, which are "\\n".
    """
    found = answers(report)
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for run in range(len(report.results)):
        writer.writerows(_rows(report, found, run))
    text.detach()  # flushes, and leaves the file open for who opened it


def _rows(report: Report, found: Answers, run: int) -> Iterator[tuple[object, ...]]:
    asked = report.results[run].run
    same = (csv_cell(asked.checkpoint), asked.pixels, asked.crops, asked.precision)
    names = [csv_cell(name) for name in report.classes or ()] or [""] * found.classes
    hits = found.top_five[run] == found.labels[:, None]
    columns = zip(
        found.positions.tolist(),
        found.labels.tolist(),
        found.top_five[run].tolist(),
        found.confidences[run].tolist(),
        hits[:, 0].astype(int).tolist(),
        hits.any(axis=1).astype(int).tolist(),
        strict=True,
    )
    for position, label, top, confidence, top1, top5 in columns:
        image = (csv_cell(report.images.ids[position]), label, names[label])
        if top[0] < 0:
            reason = csv_cell(report.decisions.failures.get(position, "not read"))
            yield (*image, *same, *[""] * 9, reason)
        else:
            five = top + [""] * (FIVE - len(top))
            decided = (*five, names[top[0]], f"{confidence:.6f}", top1, top5)
            yield (*image, *same, *decided, "")
