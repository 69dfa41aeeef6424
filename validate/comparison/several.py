"""Compare any number of runs over the images that all of them have decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from validate.comparison.comparison import Comparison, compare_named, decided, run_name
from validate.ledger.pairing import named_alike
from validate.ledger.stored import LedgerError, Stored
from validate.verdicts.significance import holm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenRun:
    """A run of a ledger that is compared.

    Attributes:
        stored: the ledger.
        place: of the run in it, from 0.
    """

    stored: Stored
    place: int

    @property
    def description(self) -> dict[str, Any]:
        """Return the run as its ledger describes it."""
        found: dict[str, Any] = self.stored.identity["runs"][self.place]
        return found

    @property
    def path(self) -> Path:
        """Return where its ledger lies."""
        return self.stored.path

    @property
    def title(self) -> str:
        """Return its name and its ledger's."""
        return f"{run_name(self.description)} ({self.path})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image and the best class of each run."""

    image: str
    label: int
    answers: tuple[int, ...]

    @property
    def is_wrong_in_all(self) -> bool:
        """Tell whether no run is right."""
        return self.label not in self.answers

    @property
    def is_answered_alike(self) -> bool:
        """Tell whether all runs give the same answer."""
        return len(set(self.answers)) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two of the runs.

    Attributes:
        places: of the two among all, from 0.
        comparison: of them, over the images that both have decided.
        p_adjusted: exact p of McNemar's test, adjusted for the number of pairs by Holm.
    """

    places: tuple[int, int]
    comparison: Comparison
    p_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Runs over the images that all of them have decided.

    Attributes:
        runs: in the order in which they were named.
        images: how many all have decided.
        others: how many only some have.
        right: of the images, how many each run decided correctly.
        wrong_in_all: the images that every run gets wrong.
        differing: the images that not all answer alike.
        pairs: each run with each one after it.
        notes: how names of different forms were paired, a sentence each.
    """

    runs: tuple[ChosenRun, ...]
    images: int
    others: int
    right: tuple[int, ...]
    wrong_in_all: tuple[Case, ...]
    differing: tuple[Case, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    @property
    def right_in_all(self) -> int:
        """Count the images that every run decides correctly."""
        return self.images - len(self.wrong_in_all) - self.right_in_some

    @property
    def right_in_some(self) -> int:
        """Count the images that some runs decide correctly and others do not."""
        return sum(not case.is_wrong_in_all for case in self.differing)


def overview(runs: Sequence[ChosenRun]) -> Overview:
    """Compare runs with each other.

    Args:
        runs: two or more, of one ledger or several; names of images may be of different forms.

    Raises:
        LedgerError: no image in common, or labels that differ.
    """
    runs, notes = _named_alike(runs)
    compared = [
        compare_named(runs[one].stored, runs[two].stored, runs=(runs[one].place, runs[two].place))
        for one, two in combinations(range(len(runs)), 2)
    ]
    adjusted = holm([each.p_value for each in compared])
    found = {id(run.stored): decided(run.stored) for run in runs}
    entries = [found[id(run.stored)] for run in runs]
    common = [image for image in entries[0] if all(image in each for each in entries[1:])]
    if not common:
        raise LedgerError(f"{runs[-1].path}: an image that all have decided expected, found none")
    cases = [
        Case(
            image=entries[0][image].image,
            label=entries[0][image].label,
            answers=tuple(
                each[image].top_five[run.place][0] for each, run in zip(entries, runs, strict=True)
            ),
        )
        for image in common
    ]
    return Overview(
        runs=tuple(runs),
        images=len(common),
        others=len(set().union(*entries)) - len(common),
        right=tuple(
            sum(case.answers[place] == case.label for case in cases) for place in range(len(runs))
        ),
        wrong_in_all=tuple(case for case in cases if case.is_wrong_in_all),
        differing=tuple(case for case in cases if not case.is_answered_alike),
        pairs=tuple(
            Pair(places=places, comparison=comparison, p_adjusted=p)
            for places, comparison, p in zip(
                combinations(range(len(runs)), 2), compared, adjusted, strict=True
            )
        ),
        notes=notes,
    )


def _named_alike(runs: Sequence[ChosenRun]) -> tuple[list[ChosenRun], tuple[str, ...]]:
    """Return the runs with one name for each image, and how names of other forms were paired."""
    ledgers = {id(run.stored): run.stored for run in runs}
    found, notes = named_alike([*ledgers.values()])
    alike = dict(zip(ledgers, found, strict=True))
    return [replace(run, stored=alike[id(run.stored)]) for run in runs], notes
