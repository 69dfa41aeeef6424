"""Pictures of two sources paired by their names, also where these are of different forms.

One picture is `0_zero/img_7.png` in class folders, `img_7.png` in Parquet, `img_7` in shards and
`digits-00/img_7` in shards that are listed as they come. Names that are the same are of the same
picture. Where there are none, the last parts of all names are compared, without the suffixes of
image files; they must be unique in both sources, and tell one label each. Where one source has
numbers of rows for names, any set in the order of its classes would pass; it is not paired.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from resnext.fields import cut
from resnext.images.imagenet import published_name
from resnext.images.listing import SUFFIXES
from resnext.images.names import normal
from validate.ledger.stored import LedgerError, Stored

PARTS: Final = {1: "the last part", 2: "the last two parts"}


class UnpairedError(LedgerError):
    """Two sources of which no picture is certain to be the same.

    Attributes:
        reason: why parts of names that both have do not tell it; "" where there are none.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Pictures of one source.

    Attributes:
        source: a ledger or a set of images, for messages.
        labels: what each picture is known by -> its label; None where labels cannot be compared.
        images: of the whole set, of which these may be a part; None where that is not stated.
        numbered: the names end in places in files, as the pictures have no others.
    """

    source: str
    labels: Mapping[str, int | None]
    images: int | None = None
    numbered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Which pictures of two sources are the same.

    Attributes:
        others: name in the second source -> name in the first, of those that have different ones.
        note: how they were paired, a sentence; None where their names are the same.
    """

    others: Mapping[str, str]
    note: str | None = None


def picture(image: str) -> str:
    """Return what a picture is known by: its published name, or else its name in the set.

    ImageNet's validation pictures lie in class folders, in one folder, or in tables, under names of
    their own each time.
    """
    return published_name(image) or image


def paired(first: Named, second: Named) -> Pairing:
    """Pair the pictures of two sources: by their names, or else by as many of their last parts.

    By parts of names it is certain only where these are unique in each source, no label differs,
    and all pictures of one source are found in the other, or as many as any two parts of one set
    have in common where both are of sets of the same size.

    Raises:
        UnpairedError: it is not certain of any.
    """
    if not first.labels.keys().isdisjoint(second.labels):
        return Pairing(others={})
    reasons = []
    for parts in _depths(first, second):
        words = f"{PARTS.get(parts, f'the last {parts} parts')} of their names, without suffix"
        one, two = (_by_parts(each, parts) for each in (first, second))
        common = [key for key in one if key in two]
        if not common:
            continue
        if reason := _doubt(first, second, one, two):
            reasons.append(f"{len(common)} have {words}, in common, but {reason}")
            continue
        pairs = {two[key][0]: one[key][0] for key in common}
        here, there = next(iter(pairs.items()))
        return Pairing(
            others=pairs,
            note=f"{second.source}: {len(pairs)} pictures paired with those of {first.source} by "
            f"{words}, as {cut(here)} with {cut(there)}",
        )
    reason = reasons[-1] if reasons else ""
    raise UnpairedError(
        f"{second.source}: images of {first.source} expected, found "
        f"{f'some that cannot be paired: {reason}' if reason else 'none in common'}",
        reason=reason,
    )


def named(stored: Stored) -> Named:
    """Return the pictures of a ledger, those that could not be read too."""
    data = stored.identity.get("data")
    images = data.get("images") if isinstance(data, dict) else None
    return Named(
        source=str(stored.path),
        labels={picture(each.image): each.label for each in stored.entries},
        images=images if isinstance(images, int) else None,
        numbered=stored.numbered,
    )


def named_alike(ledgers: Sequence[Stored]) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
    """Return ledgers with one name for each picture, and how names of other forms were paired.

    The names are those of the ledger with the most pictures, the first of several.

    Raises:
        UnpairedError: a ledger has no picture in common with it.
    """
    base = max(ledgers, key=lambda each: len(each.entries))
    known = named(base)
    found, notes = [], []
    for each in ledgers:
        pairing = paired(known, named(each))
        if pairing.note:
            notes.append(pairing.note)
            each = renamed(each, pairing)
        found.append(each)
    return tuple(found), tuple(dict.fromkeys(notes))


def renamed(stored: Stored, pairing: Pairing) -> Stored:
    """Return a ledger whose pictures have the names of the source that they were paired with."""
    others = pairing.others
    entries = (
        replace(each, image=others.get(picture(each.image), each.image)) for each in stored.entries
    )
    return replace(stored, entries=tuple(entries))


def _depths(first: Named, second: Named) -> Iterator[int]:
    """Yield numbers of parts to compare, the most first; more tell more."""
    deepest = min(max(name.count("/") for name in each.labels) for each in (first, second))
    yield from range(deepest + 1, 0, -1)


def _by_parts(source: Named, parts: int) -> dict[str, list[str]]:
    """Return the last parts of names without suffix -> the names that have them."""
    found: dict[str, list[str]] = {}
    for name in source.labels:
        stem, dot, suffix = name.rpartition(".")
        bare = stem if dot and f".{suffix.lower()}" in SUFFIXES else name
        found.setdefault(normal("/".join(bare.split("/")[-parts:])), []).append(name)
    return found


def _doubt(
    first: Named, second: Named, one: Mapping[str, list[str]], two: Mapping[str, list[str]]
) -> str | None:
    """Return why parts of names do not tell which pictures are the same; None if they do."""
    for source, keys in ((first, one), (second, two)):
        twins = next((names for names in keys.values() if len(names) > 1), None)
        if twins:
            return f"{cut(twins[0])} and {cut(twins[1])} of {source.source} have the same"
    common = [key for key in one if key in two]
    for key in common:
        here, there = first.labels[one[key][0]], second.labels[two[key][0]]
        if None not in (here, there) and here != there:
            return f"{cut(two[key][0])} has the label {there} in place of {here}"
    labels = [second.labels[two[key][0]] for key in sorted(common)]
    if (first.numbered or second.numbered) and _is_by_class(labels):
        return "these are numbers of rows, in the order of the classes, as other sets have them too"
    least = min(len(one), len(two))
    if first.images is not None and first.images == second.images:
        # Two parts of one set may have few pictures in common, but so many at least.
        least = len(one) + len(two) - first.images
    if len(common) < least:
        return f"each has pictures that the other lacks, of {len(one)} and {len(two)}"
    return None


def _is_by_class(labels: Sequence[int | None]) -> bool:
    """Tell whether each label stands in one place only; then it says little about each picture."""
    return sum(one != other for one, other in pairwise(labels)) < len(set(labels))
