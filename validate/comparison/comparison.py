"""Compare two ledgers image by image, and test whether the differences could be chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resnext.fields import cut, shown
from validate.ledger.entries import Entry
from validate.ledger.origin import UNSTATED
from validate.ledger.pairing import named_alike, picture
from validate.ledger.stored import LedgerError, Stored
from validate.verdicts.significance import exact_mcnemar


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An image on which the best classes of two runs differ.

    Attributes:
        image: its id.
        label: its class.
        first, second: the best class of each run.
    """

    image: str
    label: int
    first: int
    second: int

    @property
    def kind(self) -> str:
        """Say who was right: "first", "second", or "neither"."""
        if self.first == self.label:
            return "first"
        return "second" if self.second == self.label else "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs over the images that both have decided.

    Attributes:
        first, second: the runs, as their ledgers describe them.
        images: how many both have decided.
        only_first, only_second: how many just one has decided, failures of the other included.
        both_right: how many both decided correctly, by their best class.
        flips: the images whose best classes differ.
        notes: how names of different forms were paired, a sentence each.
    """

    first: Mapping[str, Any]
    second: Mapping[str, Any]
    images: int
    only_first: int
    only_second: int
    both_right: int
    flips: tuple[Flip, ...]
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """Count the images that the first run decided correctly and the second did not."""
        return sum(flip.kind == "first" for flip in self.flips)

    @property
    def gained(self) -> int:
        """Count the images that the second run decided correctly and the first did not."""
        return sum(flip.kind == "second" for flip in self.flips)

    @property
    def p_value(self) -> float:
        """Return the exact two-sided p of McNemar's test."""
        return exact_mcnemar(self.lost, self.gained)


def compare(first: Stored, second: Stored, *, runs: tuple[int, int]) -> Comparison:
    """Compare a run of one ledger with a run of another, or of the same one.

    Args:
        first, second: the ledgers; their images may have names of different forms.
        runs: for each, the place of the run in it, from 0.

    Raises:
        LedgerError: no image in common, or labels that differ.
    """
    (first, second), notes = named_alike((first, second))
    return replace(compare_named(first, second, runs=runs), notes=notes)


def compare_named(first: Stored, second: Stored, *, runs: tuple[int, int]) -> Comparison:
    """Compare as `compare` does, where an image has one name in both ledgers."""
    one = decided(first)
    two = decided(second)
    common = [image for image in one if image in two]
    if not common:
        raise LedgerError(f"{second.path}: images of {first.path} expected, found none in common")
    for image in common:
        if one[image].label != two[image].label:
            raise LedgerError(
                f"{second.path}: the labels of {first.path} expected, found {two[image].label} in "
                f"place of {one[image].label} for {cut(image)}; they are of different image sets"
            )
    rows = [
        Flip(
            image=one[image].image,
            label=one[image].label,
            first=one[image].top_five[runs[0]][0],
            second=two[image].top_five[runs[1]][0],
        )
        for image in common
    ]
    return Comparison(
        first=first.identity["runs"][runs[0]],
        second=second.identity["runs"][runs[1]],
        images=len(common),
        only_first=len(one) - len(common),
        only_second=len(two) - len(common),
        both_right=sum(row.first == row.second == row.label for row in rows),
        flips=tuple(row for row in rows if row.first != row.second),
    )


def pairs(first: Stored, second: Stored) -> tuple[tuple[int, int], ...]:
    """Return which runs of two ledgers belong together.

    One with one; those of one network, pipeline with interpolation, crops and precision, the first
    of them with
    the first; and within one ledger each pipeline or network with the next.

    Raises:
        LedgerError: none do, or one ledger has a single run only.
    """
    one, two = (_numbered(stored) for stored in (first, second))
    if first.path == second.path:
        if len(one) < 2:
            raise LedgerError(f"{first.path}: it has one run only; name a second ledger")
        return tuple((n, n + 1) for n in range(len(one) - 1))
    if len(one) == len(two) == 1:
        return ((0, 0),)
    places = {name: n for n, name in enumerate(two)}
    found = tuple((n, places[name]) for n, name in enumerate(one) if name in places)
    if not found:
        raise LedgerError(
            f"{second.path}: a run of {first.path} expected ({_listed(one)}), found "
            f"{_listed(two)}; choose with --first and --second"
        )
    return found


def run_name(run: Mapping[str, Any]) -> str:
    """Return a short name for a run that a ledger describes."""
    crops = "" if run["crops"] in (UNSTATED, 1) else f", {shown(run['crops'])} crops"
    compiled = " compiled" if run.get("compiled") else ""
    unusual = run["preprocessing"].get("interpolation")
    pixels = cut(run["pipeline"]) + (f" {cut(unusual)}" if isinstance(unusual, str) else "")
    return f"{cut(run['network'])}, {pixels}, {cut(run['precision'])}{compiled}{crops}"


def difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """Return the difference of two runs that their names do not show; None if there is none.

    What a file of predictions does not state is not a difference.
    """
    weights = {first["weights_sha256"], second["weights_sha256"]}
    parts = ["weights"] if len(weights) > 1 and "" not in weights else []
    one, two = (
        {name: value for name, value in run["preprocessing"].items() if name != "interpolation"}
        for run in (first, second)
    )
    parts += [
        f"{cut(name)} {_side(one.get(name))} and {_side(two.get(name))}"
        for name in ({**one, **two} if one and two else ())
        if one.get(name) != two.get(name)
    ]
    return cut(", ".join(parts)) or None


def _side(value: object) -> str:
    return "none" if value is None else shown(value)


def _numbered(stored: Stored) -> Sequence[tuple[str, int]]:
    """Return the name of each run, and the number of earlier runs with the same name."""
    seen: Counter[str] = Counter()
    runs = []
    for name in map(run_name, stored.identity["runs"]):
        runs.append((name, seen[name]))
        seen[name] += 1
    return runs


def _listed(runs: Sequence[tuple[str, int]]) -> str:
    return cut("; ".join(name for name, _ in runs))


def decided(stored: Stored) -> dict[str, Entry]:
    """Return the entries with decisions by what their pictures are known by."""
    return {picture(each.image): each for each in stored.entries if each.failure is None}
