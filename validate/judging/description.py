"""What reports say of ledgers beside their decisions: machine, settings, and what to know."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from resnext.fields import cut, shown
from resnext.images.imagenet import SET
from resnext.terminal.text import number
from validate.judging.applied import Applied
from validate.judging.evidence import Evidence
from validate.ledger.stages import agreed, stage_notes


def digest(evidence: Evidence) -> str:
    """Return the sha256 of the image set, as the ledger states it; or ""."""
    found = table(evidence, "data").get("sha256")
    return found if isinstance(found, str) else ""


def table(evidence: Evidence, name: str) -> Mapping[str, object]:
    """Return a table of a ledger's first line with its plain values, short enough for a report."""
    found = evidence.stored.identity.get(name)
    rows = found.items() if isinstance(found, dict) else ()
    return {
        cut(key): cut(value) if isinstance(value, str) else value
        for key, value in rows
        if isinstance(value, str | int | None) or (isinstance(value, float) and isfinite(value))
    }


def machine(evidence: Evidence) -> Mapping[str, object]:
    """Return the versions that a ledger was made with, by whom, when and on what."""
    return {
        **table(evidence, "versions"),
        **agreed([stage.facts for stage in evidence.stored.stages]),
    }


def notes(group: Sequence[Evidence], found: Sequence[Sequence[Applied]]) -> Iterator[str]:
    """Yield what is worth knowing about some ledgers and their runs, a sentence each."""
    for each, runs in zip(group, found, strict=True):
        path, images = each.path, number(len(each.entries), "picture")
        if each.published:
            yield f"{path}: {images} labelled by the published labels of {SET}'s validation set"
        else:
            yield f"{path}: {images} labelled by the ledger itself; no published labels are known"
        of = each.origin.images
        if of is not None and len(each.entries) < of:
            yield f"{path}: {len(each.entries):,} of {of:,} pictures are there"
        if each.naming is not None:
            yield each.naming
        yield from stage_notes(path, each.stored.stages)
        if each.stored.seal is None:
            yield f"{path}: it has no checksum, which would tell whether it was changed"
        for doubt in each.doubts:
            yield f"{path}: no verdict: {doubt}"
        for item in runs:
            for doubt in item.doubts[len(each.doubts) :]:
                yield f"{path}: {shown(item.run.network)}: no verdict: {doubt}"
            yield from item.notes
