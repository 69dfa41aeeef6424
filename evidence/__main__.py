"""List new ledgers of this folder and make its page anew: `python -m evidence --by NAME`."""

from typing import Final

import click

from evidence.contributions import (
    FOLDER,
    IMAGES,
    LIST,
    SUFFIXES,
    Contribution,
    read_contributions,
    unlisted,
    write_contributions,
)
from evidence.page import PAGE, judged_ledgers, to_page
from resnext.errors import DataError
from resnext.files import whole_file
from resnext.terminal.command import Command, say
from validate.reports.sentences import headline

PROG: Final = "evidence"


@click.command(PROG, cls=Command)
@click.option("--by", metavar="NAME", help="Who measured the ledgers that are not listed yet.")
@click.option(
    "--data",
    default=IMAGES,
    show_default=True,
    help="Images of new ledgers, as the command to repeat them is to name them.",
)
@click.option("--claims", help="Claims of new ledgers, relative to the repository.")
@click.option("--checkpoint", help="Checkpoint of new ledgers, where it is not the network's name.")
def main(*, by: str | None, data: str, claims: str | None, checkpoint: str | None) -> None:
    """List new ledgers in contributions.toml, judge all, and write README.md of this folder."""
    before = read_contributions()
    new = unlisted(before)
    if new and by is None:
        raise DataError(f"{FOLDER / LIST}: {new[0]} is not listed; state who measured it with --by")
    if by is not None and not new:
        say(PROG, f"{FOLDER}: no new ledger found, whose name ends with {' or '.join(SUFFIXES)}")
    rows = [
        *before,
        *(
            Contribution(file=name, by=by or "", data=data, claims=claims, checkpoint=checkpoint)
            for name in new
        ),
    ]
    write_contributions(rows)
    try:
        ledgers = judged_ledgers()
    except BaseException:
        write_contributions(before)
        raise
    with whole_file(FOLDER / PAGE) as file:
        file.write(to_page(ledgers).encode())
    for each in ledgers:
        say(PROG, f"{each.row.file}: {headline(each.report)}")


if __name__ == "__main__":
    main(prog_name="python -m evidence")
