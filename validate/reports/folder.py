"""The folder of reports: all of its files appear, or none, and never those of two runs."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from resnext.errors import ResnextError
from resnext.files import whole_file
from resnext.terminal.timeline import Step
from validate.reports.failure import FailedRun, to_failed_json, to_failed_junit, to_failed_markdown
from validate.reports.json_report import to_json
from validate.reports.junit import to_junit
from validate.reports.markdown import to_markdown
from validate.reports.page import to_page
from validate.reports.predictions import write_predictions
from validate.verdicts.results import Report

# Written on trial before a measurement, about what the reports of a thousand images take.
TRIAL: Final = 1 << 20

Writer = Callable[[IO[bytes]], None]


class ReportFolderError(ResnextError):
    """A folder that takes no reports."""


def prepare_folder(folder: Path) -> None:
    """Make a folder ready for reports before anything is measured; those of an earlier run go.

    Args:
        folder: created where it is missing.

    Raises:
        ReportFolderError: it cannot be created, takes no files, or holds a folder under the name of
            a report; the other reports of an earlier run are gone all the same.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ReportFolderError(
            f"--output {folder}: a folder expected, found a file; name another"
        ) from error
    except OSError as error:
        raise _cannot_write(folder, error) from error
    remove_reports(folder)
    try:
        with TemporaryFile(dir=folder, buffering=0) as file:
            left = TRIAL
            while left:
                left -= file.write(bytes(left))
    except OSError as error:
        raise _cannot_write(folder, error) from error


def remove_reports(folder: Path) -> None:
    """Remove every report that a folder holds.

    Raises:
        ReportFolderError: one cannot be removed, being a folder, say; the others are gone.
    """
    problems = []
    for path in (folder / name for name in WRITERS):
        if not os.path.lexists(path):  # on a disk that is read-only even these cannot be removed
            continue
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            is_folder = path.is_dir() and not path.is_symlink()
            problems.append(_is_folder(path) if is_folder else _cannot_write(path, error))
    if problems:
        raise problems[0]


def write_reports(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every report, and return where they are.

    Each is written beside its place first; then those of an earlier run are removed, and the new
    ones take their names together.

    Args:
        report: what was measured.
        folder: created where it is missing.

    Raises:
        ReportFolderError: an earlier report cannot be removed.
        OSError: the folder cannot be created or written to, or the disk is full.
    """
    return _write(folder, {name: partial(write, report) for name, write in WRITERS.items()})


def write_failed_run(run: FailedRun, folder: Path) -> tuple[Path, ...]:
    """Write the reports of a run without results, as `write_reports` does those of one with some.

    There is neither a page nor a file of predictions: report.json, report.md and junit.xml.
    """
    return _write(
        folder,
        {
            "report.json": partial(_write_text, to_failed_json(run)),
            "report.md": partial(_write_text, to_failed_markdown(run)),
            "junit.xml": partial(_write_text, to_failed_junit(run)),
        },
    )


def _write(folder: Path, writers: Mapping[str, Writer]) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / name for name in writers)
    named = False
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(whole_file(path)) for path in paths]
            # The last is written first: report.json tells when the others were written.
            for file, write in reversed([*zip(files, writers.values(), strict=True)]):
                write(file)
                file.flush()  # a full disk shows before any file has its name
            remove_reports(folder)
            named = True
    except BaseException:
        if named:  # some may have their names
            with suppress(ReportFolderError):
                remove_reports(folder)
        raise
    return paths


def _is_folder(path: Path) -> ReportFolderError:
    return ReportFolderError(
        f"{path}: this is where a report is to be written, found a folder; remove it, or name "
        "another --output"
    )


def _cannot_write(path: Path, error: OSError) -> ReportFolderError:
    return ReportFolderError(
        f"{path}: reports cannot be written there: {error.strerror or error}; name another --output"
    )


def _write_json(report: Report, file: IO[bytes]) -> None:
    report.timeline.mark(Step.WRITTEN)
    text = json.dumps(to_json(report), indent=2, allow_nan=False)
    file.write(text.encode() + b"\n")


def _write_text(text: str, file: IO[bytes]) -> None:
    # A name that UTF-8 cannot encode must not lose the results of hours.
    file.write(text.encode("utf-8", "backslashreplace"))


def _rendered(render: Callable[[Report], str]) -> Callable[[Report, IO[bytes]], None]:
    return lambda report, file: _write_text(render(report), file)


# The first is renamed last: a program that waits for it finds all of them.
WRITERS: Final[dict[str, Callable[[Report, IO[bytes]], None]]] = {
    "report.json": _write_json,
    "report.md": _rendered(to_markdown),
    "junit.xml": _rendered(to_junit),
    "predictions.csv": write_predictions,
    "report.html": _rendered(to_page),
}
