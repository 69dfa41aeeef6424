"""A ledger as arrays, its labels checked against those that are published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnext.fields import cut
from resnext.images.imagenet import (
    NAMES,
    WNIDS,
    validation_labels,
)
from resnext.inference.metrics import FIVE
from resnext.terminal.text import number
from validate.ledger.entries import Entry
from validate.ledger.origin import LedgerOrigin, origin_of
from validate.ledger.pairing import picture
from validate.ledger.reading import read_decisions
from validate.ledger.stored import LedgerError, Stored
from validate.verdicts.pictures import are_published, picture_doubts


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The decisions of a ledger, ready to be judged; each of its N pictures once.

    Attributes:
        stored: the ledger.
        origin: what its first line says.
        pictures: what each picture is known by.
        entries: the first of each picture.
        published: the labels are those of ImageNet's validation set, by the pictures' names.
        classes: of the networks.
        doubts: why nothing can be judged by it, a phrase each.
        naming: how its pictures were paired with those of another ledger whose names are of
            another form, or why not, a sentence; None where there was nothing to pair.
    """

    stored: Stored
    origin: LedgerOrigin
    pictures: tuple[str, ...]
    entries: tuple[Entry, ...]
    published: bool
    classes: int
    doubts: tuple[str, ...]
    naming: str | None = None

    @property
    def path(self) -> Path:
        """Return where the ledger lies."""
        return self.stored.path

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Return the labels (N,)."""
        return np.array([each.label for each in self.entries], np.int64)

    @cached_property
    def read(self) -> NDArray[np.bool_]:
        """Tell (N,) which of the pictures could be read."""
        return np.array([each.failure is None for each in self.entries], bool)

    def top_five(self, run: int) -> NDArray[np.int32]:
        """Return the classes (N, K) that a run answered, -1 where the picture could not be read."""
        width = min(FIVE, self.classes)
        nothing = (-1,) * width
        rows = [nothing if each.failure else each.top_five[run] for each in self.entries]
        return np.array(rows, np.int32).reshape(len(rows), width)

    def confidences(self, run: int) -> NDArray[np.float32]:
        """Return the softmax (N,) of a run's best classes, nan where there is none."""
        rows = [np.nan if each.failure else each.confidence[run] for each in self.entries]
        return np.array(rows, np.float32)

    @property
    def whole(self) -> bool:
        """Tell whether it holds a decision on every image of a set that has every class."""
        count = self.origin.images
        return (
            len(self.entries) == (len(self.entries) if count is None else count)
            and bool(self.read.all())
            and len(np.unique(self.labels)) == self.classes
        )


def read_evidence(path: Path) -> Evidence:
    """Return what a ledger, or a file of predictions, holds.

    Raises:
        LedgerError: it cannot be read, is damaged, or its labels are not those that are published.
        OSError: it cannot be opened.
    """
    stored = read_decisions(path)
    origin = origin_of(stored)
    keys = [picture(entry.image) for entry in stored.entries]
    ids = [entry.image for entry in stored.entries]
    published = are_published(ids, names=origin.names, classes=origin.classes)
    if published:
        _check_labels(stored, keys)
    first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    places = [place for place, key in enumerate(keys) if first[key] == place]
    classes = len(WNIDS) if published else origin.classes or _classes_seen(stored)
    _check_classes(stored, classes)
    return Evidence(
        stored=stored,
        origin=origin,
        pictures=tuple(keys[place] for place in places),
        entries=tuple(stored.entries[place] for place in places),
        published=published,
        classes=classes,
        doubts=(*picture_doubts(ids, published=published), *_unfinished(stored)),
    )


def _check_labels(stored: Stored, keys: Sequence[str]) -> None:
    """Compare the labels of validation pictures with the published ones."""
    labels = validation_labels().numbers
    for line, (key, entry) in enumerate(zip(keys, stored.entries, strict=True), 2):
        label = labels.get(key)
        if label is not None and label != entry.label:
            found = f"{WNIDS[entry.label]}" if entry.label < len(WNIDS) else "no class"
            raise LedgerError(
                f"{stored.path}: line {line}: {cut(entry.image)}: the label {label} "
                f"({WNIDS[label]}, {NAMES[label]}) expected, as published, found {entry.label} "
                f"({found}); measure with the labels that are built in"
            )


def _check_classes(stored: Stored, classes: int) -> None:
    """Check that every decision is one that a network of so many classes makes."""
    width = min(FIVE, classes)
    for line, entry in enumerate(stored.entries, 2):
        answers = [label for top in entry.top_five for label in top]
        if max([entry.label, *answers]) >= classes or any(
            len(top) != width or len(set(top)) != width for top in entry.top_five
        ):
            raise LedgerError(
                f"{stored.path}: line {line}: {width} different classes of {classes} expected, "
                f"found others for {cut(entry.image)}; the file was damaged"
            )


def _classes_seen(stored: Stored) -> int:
    """Return one more than the largest class of a ledger that does not say how many there are."""
    answers = (label for each in stored.entries for top in each.top_five for label in top)
    return 1 + max(max(answers, default=0), *(each.label for each in stored.entries))


def _unfinished(stored: Stored) -> Iterator[str]:
    """Yield that a run was cut off."""
    if stored.seal is not None and not stored.seal.finished:
        yield (
            f"the run did not come to its end, {number(len(stored.entries), 'picture')} are there; "
            "start it again with the same arguments"
        )
