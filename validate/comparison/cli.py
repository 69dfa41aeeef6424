"""The command `resnext-compare`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resnext.terminal.command import Command, NamedPath, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from validate.comparison.several import ChosenRun
    from validate.ledger.stored import Stored

PROG: Final = "resnext-compare"
PATH: Final = NamedPath()
LISTED: Final = 20


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("ledgers", type=PATH, metavar="A [B]...", nargs=-1, required=True)
@click.option("--first", "of_first", type=click.IntRange(min=1), help="Number of the run in A.")
@click.option("--second", "of_second", type=click.IntRange(min=1), help="Number of the run in B.")
@click.option("--all", "everything", is_flag=True, help="List every image that changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--html",
    "page",
    type=PATH,
    metavar="FILE",
    help="Write a page too: the runs, each pair of them, and the images that all get wrong or that "
    "not all answer alike.",
)
@click.option(
    "--data",
    metavar="IMAGES",
    help="The images, in any form that resnext-validate takes: the page then shows them.",
)
@click.option(
    "--labels", type=PATH, metavar="FILE", help="Labels of --data, as resnext-validate takes them."
)
@click.version_option(package_name="resnext", prog_name=PROG)
def main(
    *,
    ledgers: tuple[Path, ...],
    of_first: int | None,
    of_second: int | None,
    everything: bool,
    as_json: bool,
    page: Path | None,
    data: str | None,
    labels: Path | None,
) -> None:
    """Compare ledgers of resnext-validate image by image.

    A, B and so on are ledgers, plain or compressed (.gz, .zst), or files of predictions
    (predictions.csv). ImageNet's validation images are matched by their published names, all others
    by their names in the set, or by the last parts of these where that is certain, which is said.

    Of two ledgers, runs of the same network, pipeline, crops and precision are compared, or those
    that --first and --second choose; with one ledger, its runs with each other; of more ledgers,
    all runs with all others. Said are the decisions that changed, both ways, and the exact p of
    McNemar's test: how often chance alone would change so many more in one direction.

    The exit code is 0 if they could be compared, and 2 if not.
    """
    from validate.comparison.comparison import compare, pairs
    from validate.comparison.text import comparison_fields, comparison_lines
    from validate.ledger.reading import read_decided

    _check_options(ledgers, of_first or of_second, page, data, labels)
    stored = [read_decided(path) for path in ledgers]
    if len(stored) > 2:
        _compare_all(_all_runs(stored), everything, as_json, page, data, labels)
        return
    one, two = stored[0], stored[-1]
    stated = of_first or of_second
    chosen = [(_place(one, of_first), _place(two, of_second))] if stated else pairs(one, two)
    found = [compare(one, two, runs=runs) for runs in chosen]
    if page is not None:
        _write_page(_chosen_runs(one, two, chosen), page, data, labels)
    if as_json:
        fields = [comparison_fields(each) for each in found]
        click.echo(json.dumps({"comparisons": fields}, indent=2))
    else:
        for each in found:
            for line in comparison_lines(each, None if everything else LISTED):
                click.echo(line)


def _check_options(
    ledgers: "Sequence[Path]",
    stated: int | None,
    page: Path | None,
    data: str | None,
    labels: Path | None,
) -> None:
    if stated and len(ledgers) > 2:
        raise click.UsageError("--first and --second choose runs of two ledgers, not of more")
    if data is not None and page is None:
        raise click.UsageError("--data needs --html, the page that shows the images")
    if labels is not None and data is None:
        raise click.UsageError("--labels needs --data, the images")
    if page is not None and page.exists() and not page.is_file():
        raise click.UsageError(f"--html {page}: the name of a file expected, found something else")
    if page is not None and page.resolve() in {each.resolve() for each in ledgers}:
        raise click.UsageError(f"--html {page}: it is one of the ledgers; name another file")


def _compare_all(
    runs: "Sequence[ChosenRun]",
    everything: bool,
    as_json: bool,
    page: Path | None,
    data: str | None,
    labels: Path | None,
) -> None:
    from validate.comparison.several import overview
    from validate.comparison.text import overview_fields, overview_lines

    found = overview(runs)
    if page is not None:
        _write_page(runs, page, data, labels)
    if as_json:
        click.echo(json.dumps(overview_fields(found), indent=2))
    else:
        for line in overview_lines(found, None if everything else LISTED):
            click.echo(line)


def _write_page(
    runs: "Sequence[ChosenRun]", page: Path, data: str | None, labels: Path | None
) -> None:
    from resnext.files import whole_file
    from resnext.images.sources.opening import open_images
    from validate.comparison.page import to_page
    from validate.comparison.several import overview

    images = None if data is None else open_images(data, labels=labels)
    text, notes = to_page(overview(runs), images)
    with whole_file(page) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    for note in notes:
        say(PROG, note)


def _all_runs(stored: "Sequence[Stored]") -> "list[ChosenRun]":
    from validate.comparison.several import ChosenRun

    return [
        ChosenRun(stored=each, place=place)
        for each in stored
        for place in range(len(each.identity["runs"]))
    ]


def _chosen_runs(
    one: "Stored", two: "Stored", chosen: "Sequence[tuple[int, int]]"
) -> "list[ChosenRun]":
    """Return the runs of which pairs are compared, each once."""
    from validate.comparison.several import ChosenRun

    places = [(one, first) for first, _ in chosen] + [(two, second) for _, second in chosen]
    known = {(each.path, place): each for each, place in places}
    return [ChosenRun(stored=each, place=place) for (_, place), each in known.items()]


def _place(stored: "Stored", number: int | None) -> int:
    from resnext.fields import cut
    from validate.comparison.comparison import run_name

    runs = stored.identity["runs"]
    if number is not None and number <= len(runs):
        return number - 1
    if number is None and len(runs) == 1:
        return 0
    names = "; ".join(f"{n} {run_name(run)}" for n, run in enumerate(runs, 1))
    raise click.UsageError(f"{stored.path}: the number of a run expected: {cut(names)}")


if __name__ == "__main__":
    main()
