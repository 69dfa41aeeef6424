"""What a run leaves: reports of its results or of its failure, claims, rows of a model card."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resnext.distributed.job import leads_all
from resnext.errors import ResnextError
from resnext.machine import process_clock
from resnext.terminal.command import Command, NamedPath, error_line, say
from resnext.terminal.timeline import Step, Timeline

if TYPE_CHECKING:
    from validate.request import MeasurementRequest
    from validate.verdicts.results import Report

PROG: Final = "resnext-validate"
# Options that name a file, which must not be one of the reports.
FILES: Final = ("labels", "split", "claims", "write_claims", "preprocessing", "ledger", "ledgers")

# Options of the commands that judge.
STRICT: Final = click.option(
    "--strict",
    is_flag=True,
    help="End with 1 too where a network, or a claim of --claims, got no verdict: for CI.",
)
OUTPUT: Final = click.option(
    "--output",
    type=NamedPath(),
    metavar="DIR",
    help="Write report.json, report.md, report.html, junit.xml and predictions.csv there.",
)
AS_JSON: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of a table."
)


def _begun() -> Timeline:
    """Return the timeline of a command that starts now."""
    timeline = Timeline(process_clock())
    timeline.mark(Step.STARTED)
    return timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The folder of `--output`, which one process of a job writes to.

    Attributes:
        folder: None where there is none, or where another process writes.
        notes: what has been said so far; grows.
        timeline: the steps of the run so far; grows.
        prog: the command.
    """

    folder: Path | None
    notes: list[str] = field(default_factory=list)
    timeline: Timeline = field(default_factory=_begun)
    prog: str = PROG

    @classmethod
    def prepared(
        cls, folder: Path | None, given: Mapping[str, Any], *, prog: str = PROG
    ) -> "Output":
        """Make the folder ready; reports of an earlier run are removed.

        Args:
            folder: that was asked for, or None.
            given: the other options by their names.
            prog: the command.

        Raises:
            click.UsageError: an option names a file that a report would replace.
            ResnextError: the folder takes no reports.
        """
        if folder is None or not leads_all():
            return cls(folder=None, prog=prog)
        from validate.reports import prepare_folder

        if clash := clashing(folder, given):
            raise click.UsageError(clash)
        prepare_folder(folder)
        return cls(folder=folder, prog=prog)

    @contextmanager
    def failure_reported(self) -> Iterator[None]:
        """Write reports of an error that ends the block, and raise it on."""
        try:
            yield
        except BaseException as error:
            self._write(error)
            raise

    def _write(self, error: BaseException) -> None:
        if self.folder is None:
            return
        from validate.reports import FailedRun, write_failed_run

        run = FailedRun(
            reason=reason(error, self.prog),
            command=command_line(self.prog),
            notes=tuple(self.notes),
            versions={"resnext": version("resnext")},
        )
        try:
            write_failed_run(run, self.folder)
        except (OSError, ResnextError) as second:  # the first error is what is raised on
            say(self.prog, f"no report of this: {error_line(second)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideReports:
    """Files that are written besides the reports.

    Attributes:
        claims: of `--write-claims`; or None.
        card: folder of `--card`; or None.
        ledger: whose checksum the card states; or None.
    """

    claims: Path | None
    card: Path | None
    ledger: Path | None

    def check(self, request: "MeasurementRequest") -> None:
        """Check, before anything is measured, that they can be written.

        Raises:
            ResnextError, OSError: one cannot.
        """
        if self.claims is not None:
            from validate.claims_file import check_claims_file

            check_claims_file(self.claims, request)
        if self.card is not None:
            from validate.reports.card import check_card_folder

            networks = request.networks
            check_card_folder(self.card, {each.file: each.checkpoint for each in networks})

    def actions(self, report: "Report") -> Iterator[Callable[[], None]]:
        """Yield what writes them, and says so."""
        if self.claims is not None:
            from validate.claims_file import write_claims

            yield partial(_say, write_claims, report, self.claims)
        if self.card is not None:
            from validate.reports.card import write_card

            yield partial(_say, write_card, report, self.card, self.ledger)


def _say(write: Callable[..., str], *arguments: object) -> None:
    say(PROG, write(*arguments))


class ReportingCommand(Command):
    """A command whose usage errors, too, leave reports in the folder of `--output`."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """Parse the arguments."""
        words = tuple(args)  # parsing consumes them
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.UsageError as error:
            self._report(error, words)
            raise

    def _report(self, error: click.UsageError, words: Sequence[str]) -> None:
        lenient = super().make_context(
            self.name,
            list(words),
            resilient_parsing=True,
            ignore_unknown_options=True,
            allow_extra_args=True,
        )
        folder = lenient.params.get("output")
        try:
            out = Output.prepared(folder, lenient.params, prog=str(self.name))
            with out.failure_reported():
                raise error
        except (click.UsageError, ResnextError):
            pass  # of a folder that takes no reports; the usage error is the one to be said


def clashing(folder: Path, given: Mapping[str, Any]) -> str | None:
    """Return a sentence about an option that names a file which a report would replace.

    Args:
        folder: of the reports.
        given: the options by their names.
    """
    from validate.ledger.packing import plain_path
    from validate.reports.folder import WRITERS

    places = {_place(folder / name) for name in WRITERS}
    for name in FILES:
        found = given.get(name) or ()
        for file in map(Path, found if isinstance(found, tuple) else (found,)):
            # A ledger that is to be compressed is written beside its place.
            written = plain_path(file) if name == "ledger" else file
            if _place(written) in places:
                option = file if name == "ledgers" else f"--{name.replace('_', '-')} {file}"
                return (
                    f"{option}: --output writes its own {written.name} there; name another folder, "
                    "or another file"
                )
    return None


def command_line(prog: str = PROG) -> str:
    """Return the command as it was typed, without passwords."""
    from resnext.download import without_password

    return shlex.join([prog, *map(without_password, sys.argv[1:])])


def reason(error: BaseException, prog: str = PROG) -> str:
    """Return an error as one line for a report."""
    match error:
        case click.UsageError():
            return error.format_message()
        case KeyboardInterrupt() | OSError() | ResnextError() | MemoryError():
            return " ".join(error_line(error).split())
        case _:
            return f"an error of {prog} itself: {type(error).__name__}: {error}"


def _place(path: Path) -> Path:
    return path.parent.resolve() / path.name
