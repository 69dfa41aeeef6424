"""The folder of reports: all of its files appear, or none."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from resnext.files import whole_file
from validate.reports.json_report import to_json
from validate.reports.junit import to_junit
from validate.reports.markdown import to_markdown
from validate.reports.page import to_page
from validate.reports.predictions import write_predictions
from validate.verdicts.results import Report


def write_reports(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every report, and return where they are.

    Each is written beside its place first, and they take their names together at the end, in place
    of those that an earlier run left: a folder never holds reports of two measurements, but for a
    process that dies between two renames.

    Args:
        report: what was measured.
        folder: created where it is missing.

    Raises:
        OSError: the folder cannot be created or written to, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / name for name in WRITERS)
    with ExitStack() as stack:
        files = [stack.enter_context(whole_file(path)) for path in paths]
        for file, write in zip(files, WRITERS.values(), strict=True):
            write(report, file)
            file.flush()  # a full disk shows before any file has its name
    return paths


def _write_json(report: Report, file: IO[bytes]) -> None:
    text = json.dumps(to_json(report), indent=2, allow_nan=False)
    file.write(text.encode() + b"\n")


def _write_text(render: Callable[[Report], str]) -> Callable[[Report, IO[bytes]], None]:
    def write(report: Report, file: IO[bytes]) -> None:
        # A name that UTF-8 cannot encode must not lose the results of hours.
        file.write(render(report).encode("utf-8", "backslashreplace"))

    return write


# The first is renamed last: a program that waits for it finds all of them.
WRITERS: Final[dict[str, Callable[[Report, IO[bytes]], None]]] = {
    "report.json": _write_json,
    "report.md": _write_text(to_markdown),
    "junit.xml": _write_text(to_junit),
    "predictions.csv": write_predictions,
    "report.html": _write_text(to_page),
}
