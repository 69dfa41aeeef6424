"""Ledgers grouped by the sets of images that they are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from validate.judging.evidence import Evidence
from validate.ledger.pairing import Named, UnpairedError, paired


@dataclass(slots=True, kw_only=True)
class _Group:
    """Ledgers of one set.

    Attributes:
        first: whose names the pictures have.
        labels: of all pictures, by these names.
        ledgers: by their places in the order in which they were given.
    """

    first: Evidence
    labels: dict[str, int]
    ledgers: dict[int, Evidence]


def by_images(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """Return the ledgers grouped by sets of images, in which their labels agree.

    Pictures with names of other forms get those of the largest ledger of the group with which they
    can be paired; how that was done, or why it could not be, is in the `naming` of the ledger.

    Returns:
        The groups in the order of their first ledgers, the ledgers of each in theirs.
    """
    groups: list[_Group] = []
    for place in sorted(range(len(evidence)), key=lambda place: -len(evidence[place].entries)):
        found = evidence[place]
        for group in groups:
            found = _named_like(group, found)
            if _belongs(group, found):
                group.labels = {**_labels(found), **group.labels}
                group.ledgers[place] = found
                break
        else:
            groups.append(_Group(first=found, labels=_labels(found), ledgers={place: found}))
    groups.sort(key=lambda group: min(group.ledgers))
    return [[group.ledgers[place] for place in sorted(group.ledgers)] for group in groups]


def _labels(evidence: Evidence) -> dict[str, int]:
    return dict(zip(evidence.pictures, evidence.labels.tolist(), strict=True))


def _is_alike(group: _Group, evidence: Evidence) -> bool:
    first = group.first
    return (evidence.classes, evidence.published) == (first.classes, first.published)


def _belongs(group: _Group, evidence: Evidence) -> bool:
    labels = _labels(evidence)
    common = group.labels.keys() & labels.keys()
    alike = _is_alike(group, evidence)
    return alike and bool(common) and all(group.labels[key] == labels[key] for key in common)


def _named(evidence: Evidence, labels: Mapping[str, int]) -> Named:
    return Named(
        source=str(evidence.path),
        labels=labels,
        images=evidence.origin.images,
        numbered=evidence.stored.numbered,
    )


def _named_like(group: _Group, evidence: Evidence) -> Evidence:
    """Return a ledger with the names of a group, if its own are of another form."""
    if not _is_alike(group, evidence):
        return evidence
    first = group.first
    there, here = _named(first, group.labels), _named(evidence, _labels(evidence))
    try:
        pairing = paired(there, here)
    except UnpairedError as error:
        apart = f"{evidence.path}: judged apart from {first.path}: {error.reason}"
        return replace(evidence, naming=apart) if error.reason else evidence
    if not pairing.others:
        return evidence
    pictures = (pairing.others.get(name, name) for name in evidence.pictures)
    return replace(evidence, pictures=tuple(pictures), naming=pairing.note)
