"""The command `resnext-compare`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resnext.fields import cut
from resnext.terminal.command import Command, NamedPath
from resnext.terminal.text import printable

if TYPE_CHECKING:
    from validate.comparison.comparison import Comparison
    from validate.ledger.stored import Stored

PROG: Final = "resnext-compare"
PATH: Final = NamedPath()
LISTED: Final = 20


@click.command(PROG, cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("first", type=PATH, metavar="A")
@click.argument("second", type=PATH, metavar="[B]", required=False)
@click.option("--first", "of_first", type=click.IntRange(min=1), help="Number of the run in A.")
@click.option("--second", "of_second", type=click.IntRange(min=1), help="Number of the run in B.")
@click.option("--all", "everything", is_flag=True, help="List every image that changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.version_option(package_name="resnext", prog_name=PROG)
def main(
    *,
    first: Path,
    second: Path | None,
    of_first: int | None,
    of_second: int | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Compare two ledgers of resnext-validate image by image.

    Runs of the same network, pipeline, crops and precision are compared, or those that --first and
    --second choose; with one ledger, its runs with each other. Said are the decisions that changed,
    both ways, and the exact p of McNemar's test: how often chance alone would change so many more
    in one direction.

    The exit code is 0 if they could be compared, and 2 if not.
    """
    from validate.comparison.comparison import compare, pairs
    from validate.ledger.reading import read_decided

    one = read_decided(first)
    two = read_decided(second) if second else one
    stated = of_first or of_second
    chosen = [(_place(one, of_first), _place(two, of_second))] if stated else pairs(one, two)
    found = [compare(one, two, runs=runs) for runs in chosen]
    if as_json:
        click.echo(json.dumps({"comparisons": [_fields(each) for each in found]}, indent=2))
    else:
        for each in found:
            for line in _lines(each, None if everything else LISTED):
                click.echo(printable(line))


def _place(stored: "Stored", number: int | None) -> int:
    from validate.comparison.comparison import run_name

    runs = stored.identity["runs"]
    if number is not None and number <= len(runs):
        return number - 1
    if number is None and len(runs) == 1:
        return 0
    names = "; ".join(f"{n} {run_name(run)}" for n, run in enumerate(runs, 1))
    raise click.UsageError(f"{stored.path}: the number of a run expected: {cut(names)}")


def _lines(found: "Comparison", listed: int | None) -> Iterator[str]:
    from validate.comparison.comparison import difference, run_name

    flips = found.flips
    yield f"A: {run_name(found.first)}"
    yield f"B: {run_name(found.second)}"
    if other := difference(found.first, found.second):
        yield f"  they differ in: {other}"
    yield f"{found.images} images in common"
    if found.only_first or found.only_second:
        yield f"  not compared: {found.only_first} only in A, {found.only_second} only in B"
    yield f"  right in both       {found.both_right:>7}"
    yield f"  right only in A     {found.lost:>7}"
    yield f"  right only in B     {found.gained:>7}"
    others = len(flips) - found.lost - found.gained
    wrong = found.images - found.both_right - found.lost - found.gained
    yield f"  wrong in both       {wrong:>7}" + (f", {others} differently" if others else "")
    yield f"  exact McNemar test: p = {found.p_value:.3g}"
    for flip in flips[:listed]:
        yield f"  {cut(flip.image)}: label {flip.label}, A {flip.first}, B {flip.second}"
    if listed is not None and len(flips) > listed:
        yield f"  and {len(flips) - listed} more that changed; --all lists them"


def _fields(found: "Comparison") -> dict[str, object]:
    return {
        "first": found.first,
        "second": found.second,
        "images": found.images,
        "only_in_first": found.only_first,
        "only_in_second": found.only_second,
        "both_right": found.both_right,
        "right_only_in_first": found.lost,
        "right_only_in_second": found.gained,
        "p_value": found.p_value,
        "changed": [
            {
                "image": flip.image,
                "label": flip.label,
                "first": flip.first,
                "second": flip.second,
                "right": flip.kind,
            }
            for flip in found.flips
        ],
    }


if __name__ == "__main__":
    main()
