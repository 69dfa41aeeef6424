"""The command `resnext-judge`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resnext.terminal.command import NamedPath, say
from validate.output import AS_JSON, OUTPUT, STRICT, Output, ReportingCommand, command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from validate.verdicts.results import Report

PROG: Final = "resnext-judge"
PATH: Final = NamedPath()


@click.command(PROG, cls=ReportingCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--claims",
    type=PATH,
    metavar="FILE.toml",
    help="Your own claims, in the form of the built-in table.",
)
@STRICT
@OUTPUT
@AS_JSON
@click.version_option(package_name="resnext", prog_name=PROG)
@click.argument("ledgers", nargs=-1, required=True, type=PATH, metavar="LEDGER...")
def main(
    *,
    ledgers: tuple[Path, ...],
    claims: Path | None,
    strict: bool,
    output: Path | None,
    as_json: bool,
) -> int:
    """Judge the claims about networks by what ledgers hold, without a picture or a checkpoint.

    LEDGER is what resnext-validate --ledger wrote, plain or compressed (.gz, .zst), or a
    predictions.csv. Whether a decision is correct is derived anew: pictures that are called like
    ImageNet's validation pictures have the labels that are built in, and a ledger whose own labels
    are others is refused; for all other pictures the ledger's labels are taken, which is said.

    A claim has no verdict where a picture is named twice or is unknown, where the run was cut off,
    or where the weights or the preprocessing are not those that it is about.

    The exit code is 0 if every claim that could be judged was reproduced, 1 if one was not, and 2
    if something was wrong with the input.
    """
    out = Output.prepared(output, {"claims": claims, "ledgers": ledgers}, prog=PROG)
    with out.failure_reported():
        reports = _judged(ledgers, claims, strict=strict)
        if len(reports) > 1 and (as_json or output):
            option = "--json" if as_json else "--output"
            raise click.UsageError(
                f"{option}: ledgers of one set of images expected, found {len(reports)} sets, the "
                f"second of {reports[1].settings['ledgers'][0]}; judge them one by one"  # type: ignore[index]
            )
        for report in reports:
            for text in report.notes:
                out.notes.append(text)
                say(PROG, text)
    return max((_tell(report, out, as_json=as_json) for report in reports), default=0)


def _judged(
    ledgers: "Sequence[Path]", claims: Path | None, *, strict: bool
) -> "tuple[Report, ...]":
    from resnext.published import read_table
    from validate.judging.evidence import read_evidence
    from validate.judging.report import Asked, judged

    asked = Asked(
        own=read_table(claims) if claims else (),
        source=str(claims),
        strict=strict,
        command=command_line(PROG),
    )
    return judged([read_evidence(path) for path in dict.fromkeys(ledgers)], asked)


def _tell(report: "Report", out: Output, *, as_json: bool) -> int:
    """Write and print a report; return the exit code."""
    from validate.reports import to_json, write_reports
    from validate.reports.sentences import exit_code, headline
    from validate.reports.table import print_table
    from validate.verdicts.claim_groups import open_claims

    report = replace(report, timeline=out.timeline)
    if out.folder is not None:
        with out.failure_reported():
            write_reports(report, out.folder)
    if as_json:
        click.echo(json.dumps(to_json(report), indent=2))
    else:
        print_table(report)
        click.echo(f"\n{headline(report)}")
    if failed := len(report.decisions.failures):
        of = len(report.decisions.positions)
        say(PROG, f"{failed} of {of} images could not be read when they were measured, as listed")
    for text in open_claims(report) if report.strict else ():
        say(PROG, f"--strict: {text}")
    return exit_code(report)


if __name__ == "__main__":
    main()
