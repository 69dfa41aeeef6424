"""By whom, when and on which machine the parts of a ledger were decided.

The first line says it of the beginning. Where a run went on as something else, on another machine
say, the first image that it decided says it, so that every line but the first stays an image.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from resnext.fields import cut
from validate.ledger.entries import Entry

# Of `made`, what tells the part of a run from another part; the date is stated beside it.
TELLING: Final = ("by", "commit", "machine")
STATED: Final = (*TELLING, "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Images that were decided by one maker, one after the other.

    Attributes:
        first: number of the first of them in the ledger, from 1.
        made: by whom, when and where; empty where the ledger does not say.
    """

    first: int
    made: Mapping[str, Any]

    @property
    def facts(self) -> dict[str, str]:
        """Return by whom, from which commit, when and on what, as short texts."""
        machine = self.made.get("machine")
        known = {name: self.made.get(name) for name in ("by", "commit", "date")}
        known |= machine if isinstance(machine, dict) else {}
        return {cut(str(key)): cut(str(value)) for key, value in known.items() if value is not None}


def stages_of(made: Mapping[str, Any], entries: Sequence[Entry]) -> tuple[Stage, ...]:
    """Return the parts of a ledger, one for each that decided an image.

    Args:
        made: as the first line states it.
        entries: of the images, in the order in which they were decided.
    """
    found = [Stage(first=1, made=made)]
    found += [
        Stage(first=number, made=entry.continued)
        for number, entry in enumerate(entries, 1)
        if entry.continued is not None
    ]
    return tuple(found[1:] if len(found) > 1 and found[1].first == 1 else found)


def continued_by(last: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the next image is to state; None where the same maker goes on.

    Args:
        last: who made the last part.
        made: who goes on.
    """
    one, two = ({name: each.get(name) for name in TELLING} for each in (last, made))
    return {name: made[name] for name in STATED if name in made} if made and one != two else None


def agreed(tables: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """Return tables as one; where their values differ, all of them."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in tables for name in each):
        values = [*dict.fromkeys(each[name] for each in tables if name in each)]
        found[name] = values[0] if len(values) == 1 else "; ".join(map(str, values))
    return found


def stage_notes(path: Path, stages: Sequence[Stage]) -> Iterator[str]:
    """Yield where a ledger was continued, and what was other there, a sentence each."""
    for before, stage in pairwise(stages):
        one, two = before.facts, stage.facts
        date = f" on {two['date']}" if "date" in two else ""
        changed = [
            f"{name} {two.get(name, 'not stated')} in place of {one.get(name, 'one not stated')}"
            for name in dict.fromkeys([*two, *one])
            if name != "date" and one.get(name) != two.get(name)
        ]
        yield (
            f"{path}: continued{date} from image {stage.first} on: {', '.join(changed)}; "
            "that may change the last bits of logits"
        )
