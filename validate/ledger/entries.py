"""Decisions on single images: as lines of a ledger, and collected in arrays."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError, ResnextError
from resnext.fields import COUNT_LIMIT, cut, shown
from resnext.images.image_set import ImageSet
from resnext.images.late import LateImageSet
from resnext.inference.metrics import FIVE, Counts, count
from resnext.inference.plan import Plan
from validate.verdicts.results import Changed, Decisions

T = TypeVar("T")


class EntryError(ResnextError):
    """Fields that do not describe the decisions on an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What R runs decided on one image.

    Attributes:
        batch: number of the batch that it was measured in.
        image: its id.
        label: its class.
        top_five: for each run the classes of the five largest logits, the best first.
        confidence: for each run the softmax of the best.
        reference: for each run the best class in fp32, None where that was not asked.
        form: what is unusual about the picture, such as "CMYK"; None if nothing is.
        failure: why it could not be read; then there are no decisions.
        batch_size: images of its batch, where that is not the size that the ledger began with.
        continued: by whom, when and where the run went on from here, where that is said anew.
    """

    batch: int
    image: str
    label: int
    top_five: tuple[tuple[int, ...], ...] = ()
    confidence: tuple[float, ...] = ()
    reference: tuple[int | None, ...] = ()
    form: str | None = None
    failure: str | None = None
    batch_size: int | None = None
    continued: Mapping[str, Any] | None = None

    def to_fields(self) -> dict[str, object]:
        """Return the entry as plain values for JSON; empty fields are left out."""
        fields: dict[str, object] = {
            "batch": self.batch,
            "image": self.image,
            "label": self.label,
        }
        if self.batch_size is not None:
            fields["batch_size"] = self.batch_size
        if self.continued is not None:
            fields["continued"] = self.continued
        if self.failure is not None:
            return {**fields, "failure": self.failure}
        fields |= {"top5": self.top_five, "confidence": self.confidence}
        if any(best is not None for best in self.reference):
            fields["fp32"] = self.reference
        return {**fields, "form": self.form} if self.form else fields

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Entry":
        """Read what `to_fields` gave: every value is of its type, and there is one for each run.

        Raises:
            EntryError: it is something else.
        """
        top = tuple(
            tuple(_each(row, int, "top5")) for row in _each(fields.get("top5", []), list, "top5")
        )
        failure = _optional(fields, "failure", str)
        if not top and failure is None:
            raise EntryError("neither top5 nor failure")
        confidence = tuple(_each(fields.get("confidence", []), float, "confidence"))
        reference: list[int | None] = [None] * len(top)
        if "fp32" in fields:
            reference = [
                None if best is None else _typed(best, int, "fp32")
                for best in _typed(fields["fp32"], list, "fp32")
            ]
        if not len(top) == len(confidence) == len(reference):
            raise EntryError("top5, confidence and fp32 of different numbers of runs")
        size = _optional(fields, "batch_size", int)
        if size == 0:
            raise EntryError("batch_size 0")
        return cls(
            batch=_typed(fields.get("batch"), int, "batch"),
            image=_typed(fields.get("image"), str, "image"),
            label=_typed(fields.get("label"), int, "label"),
            top_five=top,
            confidence=confidence,
            reference=tuple(reference),
            form=_optional(fields, "form", str),
            failure=failure,
            batch_size=size,
            continued=_optional(fields, "continued", dict),
        )


class Collection:
    """The decisions on the images of a plan, as they come in."""

    def __init__(self, images: ImageSet, plan: Plan, *, runs: int, classes: int) -> None:
        """Make room for every image.

        Args:
            images: the whole set; its ids are unique.
            plan: which of them are measured.
            runs: how many ways each is decided.
            classes: of the networks.
        """
        self.images = images
        self.plan = plan
        self.classes = classes
        self._places: dict[str, int] = {}
        self._unnamed = enumerate(plan.positions.tolist())  # whose names were not asked for yet
        if not isinstance(images, LateImageSet):
            self._place(None)
        size, width = len(plan), min(FIVE, classes)
        self.done = np.zeros(size, bool)
        self.top_five = tuple(np.full((size, width), -1, np.int32) for _ in range(runs))
        self.confidences = tuple(np.full(size, np.nan, np.float32) for _ in range(runs))
        self.failures: dict[int, str] = {}
        self.forms: Counter[str] = Counter()
        self.compared = [0] * runs
        self.changed = [0] * runs

    def add(self, entries: Iterable[Entry]) -> None:
        """Add the decisions on some images; each image may be added once."""
        for entry in entries:
            place = self._place(entry.image)
            assert place is not None, f"{entry.image} is not of the plan"
            assert not self.done[place], f"{entry.image} came twice"
            self.done[place] = True
            if entry.failure is not None:
                self.failures[int(self.plan.positions[place])] = entry.failure
                continue
            self.forms.update([entry.form] if entry.form else [])
            for run, top in enumerate(entry.top_five):
                self.top_five[run][place] = top
                self.confidences[run][place] = entry.confidence[run]
            for run, best in enumerate(entry.reference):
                self.compared[run] += best is not None
                self.changed[run] += best not in (None, entry.top_five[run][0])

    def restore(self, entries: Sequence[Entry], *, source: str) -> None:
        """Add the decisions of an earlier run, after a check that they belong to this measurement.

        Raises:
            DataError: an image that is not of the plan, or decisions that no such network makes;
                the message starts with the source.
        """
        seen: set[str] = set()
        for entry in entries:
            if entry.image in seen or not self._fits(entry):
                raise DataError(
                    f"{source}: {cut(entry.image)}: five classes of each network for an image of "
                    f"{self.images.root} expected, once, found something else; the file was "
                    "changed: remove it to measure anew"
                )
            seen.add(entry.image)
        self.add(entries)

    def _place(self, image: str | None) -> int | None:
        """Return the place of an image in the plan; None if it is not in it.

        The names are asked for one after the other until it is found.
        """
        if image in self._places:
            return self._places[image]
        for number, position in self._unnamed:
            name = self.images.ids[position]
            if self._places.setdefault(name, number) != number:
                raise DataError(f"{self.images.root}: two images of the same name; name each once")
            if name == image:
                return number
        return None

    def _fits(self, entry: Entry) -> bool:
        place = self._place(entry.image)
        if place is None or self.images.labels[self.plan.positions[place]] != entry.label:
            return False
        if entry.failure is not None:
            return True
        runs, width = len(self.top_five), self.top_five[0].shape[1]
        columns = (entry.top_five, entry.confidence, entry.reference)
        classes = range(self.classes)
        return (
            all(len(column) == runs for column in columns)
            and all(len(set(top)) == len(top) == width for top in entry.top_five)
            and all(label in classes for top in entry.top_five for label in top)
            and all(0 <= value <= 1 for value in entry.confidence)
            and all(best is None or best in classes for best in entry.reference)
        )

    def counts(self) -> tuple[Counts, ...]:
        """Return the counts of each run over the images that have been added so far."""
        labels = self.images.labels[self.plan.positions]
        read = np.array([top[:, 0] >= 0 for top in self.top_five])
        return tuple(
            count(top[ok].astype(np.int64), labels[ok])
            for top, ok in zip(self.top_five, read, strict=True)
        )

    def changes(self) -> tuple[Changed | None, ...]:
        """Return, for each run, how many of the compared decisions its precision changed."""
        pairs = zip(self.compared, self.changed, strict=True)
        return tuple(Changed(images=n, top1=top1) if n else None for n, top1 in pairs)

    def decisions(self) -> Decisions:
        """Return all decisions; every image of the plan must have been added."""
        assert self.done.all(), "an image is missing"
        return Decisions(
            positions=self.plan.positions,
            top_five=self.top_five,
            confidences=self.confidences,
            failures=dict(sorted(self.failures.items())),
        )


def to_entries(
    images: ImageSet,
    *,
    batch: int,
    positions: Sequence[int],
    tops: Sequence[NDArray[np.int64]],
    confidences: Sequence[NDArray[np.float32]],
    references: Sequence[NDArray[np.int64] | None],
    forms: Mapping[int, str],
) -> list[Entry]:
    """Turn what was computed for a batch into an entry for each image.

    Args:
        images: the whole set.
        batch: its number.
        positions: places in the set of the N images that could be read.
        tops: for each run (N, K) classes, the best first.
        confidences: for each run (N,).
        references: for each run the best classes in fp32 of the first images, or None.
        forms: position -> what is unusual about the picture.
    """
    return [
        Entry(
            batch=batch,
            image=images.ids[position],
            label=int(images.labels[position]),
            top_five=tuple(tuple(top[n].tolist()) for top in tops),
            confidence=tuple(round(float(values[n]), 6) for values in confidences),
            reference=tuple(
                int(best[n]) if best is not None and n < len(best) else None for best in references
            ),
            form=forms.get(position),
        )
        for n, position in enumerate(positions)
    ]


def _typed(value: Any, kind: type[T], name: str) -> T:
    """Return a value as it is if it has the type that `to_fields` gives it.

    Args:
        kind: int stands for a count of 64 bits, float for a number from 0 to 1.
        name: of the field, for the message.
    """
    fits = type(value) is kind
    if kind is int:
        fits = fits and 0 <= value < COUNT_LIMIT
    elif kind is float:
        fits = type(value) in (int, float) and 0 <= value <= 1
    if not fits:
        raise EntryError(f"{name} {shown(value)}")
    found: T = value
    return found


def _each(value: Any, kind: type[T], name: str) -> list[T]:
    return [_typed(each, kind, name) for each in _typed(value, list, name)]


def _optional(fields: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    return None if fields.get(name) is None else _typed(fields[name], kind, name)
