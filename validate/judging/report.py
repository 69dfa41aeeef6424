"""Ledgers -> the reports that a measurement writes, one for each set of images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DataError
from resnext.fields import cut
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import SET, WNIDS, titles
from resnext.inference.metrics import Counts, count
from resnext.published import Row
from validate.judging.applied import Applied, applied
from validate.judging.description import digest, machine, notes, table
from validate.judging.evidence import Evidence
from validate.judging.grouping import by_images
from validate.ledger.stages import agreed
from validate.verdicts.claims import NOT_KNOWN, judge
from validate.verdicts.judged_run import Answered, judged_run
from validate.verdicts.protocols import unused
from validate.verdicts.results import Changed, Decisions, Report, Result, Timing

NO_PICTURE: Final = "a ledger holds decisions, not pictures"


@dataclass(frozen=True, slots=True)
class NoPictures:
    """Stands for the reader of a set whose pictures are not at hand."""

    def read(self, position: int) -> bytes:
        """Raise the error of a picture that cannot be read."""
        raise DataError(f"picture {position}: {NO_PICTURE}")

    def stamp(self) -> str:
        """Return nothing, as there are no bytes that could change."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of ledgers.

    Attributes:
        own: rows of the user's table of claims.
        source: the file of that table, for messages.
        strict: a claim without a verdict does not pass.
        command: as it was typed.
    """

    own: tuple[Row, ...] = ()
    source: str = ""
    strict: bool = False
    command: str = ""


def judged(evidence: Sequence[Evidence], asked: Asked) -> tuple[Report, ...]:
    """Judge the claims about the networks of some ledgers.

    Args:
        evidence: one ledger or more.
        asked: by which claims.

    Returns:
        A report for each set of images, in the order of the first ledgers of each.

    Raises:
        DataError: no row of the user's table applies.
    """
    found = [[applied(each, run, asked.own) for run in each.origin.runs] for each in evidence]
    protocols = [each.protocol for runs in found for each in runs]
    names = unused(asked.own, protocols)
    if asked.own and len(names) == len(asked.own):
        known = ", ".join(dict.fromkeys(cut(each.name) for each in protocols))
        raise DataError(f"{asked.source}: none of its rows applies; the networks are {known}")
    with_claims = [row for row in asked.own if row.claims]
    missing = unused(with_claims, protocols)
    of = {each.path: runs for each, runs in zip(evidence, found, strict=True)}
    return tuple(
        _report(group, [of[each.path] for each in group], asked, missing)
        for group in by_images(evidence)
    )


def _report(
    group: Sequence[Evidence],
    found: Sequence[Sequence[Applied]],
    asked: Asked,
    missing: tuple[str, ...],
) -> Report:
    first = group[0]
    names = next((each.origin.names for each in group if each.origin.names), None)
    if names is None and first.published:
        names = WNIDS
    images = _images(group, names)
    places = {key: place for place, key in enumerate(_pictures(group))}
    rows = [np.array([places[key] for key in each.pictures], np.int64) for each in group]
    columns = [
        (each, run, place, item)
        for each, place, runs in zip(group, rows, found, strict=True)
        for run, item in enumerate(runs)
    ]
    return Report(
        results=tuple(_result(each, run, item) for each, run, _, item in columns),
        images=images,
        images_sha256=digest(first),
        classes=titles(names),
        decisions=Decisions(
            positions=np.arange(len(images)),
            top_five=tuple(
                _spread(each.top_five(run), place, len(images), -1)
                for each, run, place, _ in columns
            ),
            confidences=tuple(
                _spread(each.confidences(run), place, len(images), np.nan)
                for each, run, place, _ in columns
            ),
            failures=_failures(group, rows),
        ),
        forms=dict(Counter(entry.form for entry in first.entries if entry.form)),
        timing=Timing(images=0, wall=0.0, reading=0.0, decoding=0.0, preparing=0.0, network=0.0),
        settings={
            "ledgers": [str(each.path) for each in group],
            "labels": f"published, of {SET}" if first.published else "the ledger's own",
            **agreed([table(each, "settings") for each in group]),
            "strict": asked.strict,
        },
        versions=agreed([machine(each) for each in group]),
        command=asked.command,
        notes=tuple(dict.fromkeys(notes(group, found))),
        own=tuple(row.name for row in asked.own),
        missing=missing,
        strict=asked.strict,
    )


def _images(group: Sequence[Evidence], names: tuple[str, ...] | None) -> ImageSet:
    """Return the set of all pictures of some ledgers, in the order in which they come."""
    labels: dict[str, int] = {}
    ids: dict[str, str] = {}
    for each in group:
        for key, entry in zip(each.pictures, each.entries, strict=True):
            labels.setdefault(key, entry.label)
            ids.setdefault(key, entry.image)
    return ImageSet(
        root=", ".join(str(each.path) for each in group),
        ids=tuple(ids.values()),
        labels=np.array([*labels.values()], np.int64),
        classes=names,
        reader=NoPictures(),
    )


def _pictures(group: Sequence[Evidence]) -> dict[str, None]:
    return dict.fromkeys(key for each in group for key in each.pictures)


def _result(evidence: Evidence, run: int, item: Applied) -> Result:
    read = evidence.read
    top, labels = evidence.top_five(run)[read], evidence.labels[read]
    counts = count(top.astype(np.int64), labels) if read.any() else Counts()
    result = judged_run(
        Answered(
            run=item.run,
            counts=counts,
            answers=top[:, 0],
            labels=labels,
            classes=evidence.classes,
            names=evidence.origin.titles,
            complete=evidence.whole,
            changed=_changed(evidence, run),
        ),
        item.protocol,
        doubts=item.doubts,
    )
    return result if result.judgements else _with_other_numbers(result, item)


def _with_other_numbers(result: Result, item: Applied) -> Result:
    """Return a result with the claims that its preprocessing alone keeps from being judged.

    A claim of ten crops, or of another pipeline, is of another measurement. One of another scale,
    crop or mean is what the ledger was meant for, and did not do.
    """
    run, usual = item.run, item.protocol.preprocessing
    ways = {
        each: f"it is claimed with {each.protocol}, and the ledger was measured with "
        f"{run.preprocessing.describe()}"
        for each in result.unjudged
        if each.protocol != NOT_KNOWN
        and each.claim.crops == run.crops
        and each.claim.under(usual).pixels == run.pixels
        and result.counts.images
    }
    return replace(
        result,
        judgements=tuple(
            judge(each.claim, result.counts, complete=False).doubted(reason)
            for each, reason in ways.items()
        ),
        unjudged=tuple(each for each in result.unjudged if each not in ways),
    )


def _changed(evidence: Evidence, run: int) -> Changed | None:
    """Return how many decisions were compared with fp32, and differ; None where none were."""
    pairs = [
        (each.reference[run], each.top_five[run][0])
        for each in evidence.entries
        if each.reference and each.reference[run] is not None
    ]
    return (
        Changed(images=len(pairs), top1=sum(one != other for one, other in pairs))
        if pairs
        else None
    )


def _spread(
    values: NDArray[Any], places: NDArray[np.int64], images: int, nothing: float
) -> NDArray[Any]:
    """Return the values of a ledger's pictures at their places among those of all ledgers."""
    whole = np.full((images, *values.shape[1:]), nothing, values.dtype)
    whole[places] = values
    return whole


def _failures(group: Sequence[Evidence], rows: Sequence[NDArray[np.int64]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for each, places in zip(group, rows, strict=True):
        for place, entry in zip(places.tolist(), each.entries, strict=True):
            if entry.failure is not None:
                found.setdefault(place, entry.failure)
    return dict(sorted(found.items()))
