"""Networks x images -> decisions, in one pass over the images for all networks."""

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from resnext.errors import CheckpointError
from resnext.images.image_set import ImageSet
from resnext.inference.answer import Answer
from resnext.inference.metrics import top_five
from resnext.inference.plan import Plan
from resnext.inference.predictor import Predictor
from resnext.loader.batch import Batch, Failure, Seconds
from resnext.loader.batches import read_batches
from resnext.pixels.pipelines import Preparation
from resnext.pixels.raw_crops import RawCrops
from validate.ledger.entries import Entry, to_entries
from validate.verdicts.results import Run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One way to measure one network.

    Attributes:
        run: what it is.
        predictor: the network; runs of one checkpoint share theirs.
        reference: the same network in fp32, with whose decisions those are compared; or None.
        on_device: the device scales and normalises where it can.
    """

    run: Run
    predictor: Predictor
    reference: Predictor | None = None
    on_device: bool = False

    @property
    def preparation(self) -> Preparation:
        """Return the way from pixels to the network's input."""
        return Preparation(
            self.run.pipeline, self.run.crops, self.run.preprocessing, self.on_device
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What was decided on the images of one batch, and how long that took.

    Attributes:
        entries: one for each image of the batch, in its order.
        reading: seconds of the process that read the batch.
        network: seconds in the networks.
    """

    entries: list[Entry]
    reading: Seconds = field(default_factory=Seconds)
    network: float = 0.0


def evaluate(
    images: ImageSet,
    plan: Plan,
    candidates: Sequence[Candidate],
    *,
    batches: Sequence[int],
    workers: int,
    compared: int = 0,
) -> Generator[Outcome, None, None]:
    """Yield what the networks decide on the images of some batches, in the order given.

    Each image is read and decoded once, and prepared once for each distinct preparation.

    Args:
        images: labelled with the classes of the networks.
        plan: cuts the batches.
        candidates: one or more.
        batches: numbers of batches of the plan.
        workers: processes that read ahead; 0 reads in this one.
        compared: the first so many images of the plan are also decided by the references.

    Raises:
        CheckpointError: logits that are not finite.
        DataError: not enough memory; see `memory_explained`.
    """
    preparations = tuple(dict.fromkeys(each.preparation for each in candidates))
    places = [preparations.index(each.preparation) for each in candidates]
    wanted = [plan.batch(number).tolist() for number in batches]
    kinds = {each.predictor.device.type for each in candidates}
    read = read_batches(
        images,
        wanted,
        preparations,
        workers=workers,
        pinned="cuda" in kinds,
        handed_back=True,
    )
    ahead = max(each.predictor.ahead for each in candidates)
    started: deque[_Started] = deque()
    with closing(read):
        for each in candidates if wanted else ():
            crop = each.run.preprocessing.crop  # while the processes read
            each.predictor.warm_up(len(wanted[0]) * each.run.crops, side=crop)
        for number, positions, batch in zip(batches, wanted, read, strict=True):
            first = number * plan.batch_size  # place in the plan of the batch's first image
            few = set(positions[: max(compared - first, 0)])
            inputs = [batch.inputs[place] for place in places] if len(batch.positions) else []
            started.append(_start(number, positions, batch, candidates, inputs=inputs, few=few))
            if len(started) > ahead:
                yield _finish(images, started.popleft(), candidates)
    while started:
        yield _finish(images, started.popleft(), candidates)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Started:
    """A batch whose logits may still be being computed, for each candidate in turn."""

    number: int
    positions: list[int]
    batch: Batch
    logits: list[Answer]
    references: list[Answer | None]
    seconds: float


def _start(
    number: int,
    positions: list[int],
    batch: Batch,
    candidates: Sequence[Candidate],
    *,
    inputs: Sequence[Tensor | RawCrops],
    few: set[int],
) -> _Started:
    begin = time.perf_counter()
    count = sum(position in few for position in batch.positions.tolist())
    logits: list[Answer] = []
    references: list[Answer | None] = []
    for candidate, pixels in zip(candidates, inputs, strict=bool(inputs)):
        logits.append(candidate.predictor.start(pixels))
        reference = None
        if candidate.reference is not None and count:
            part = pixels.first(count) if isinstance(pixels, RawCrops) else pixels[:count]
            reference = candidate.reference.start(part)
        references.append(reference)
    return _Started(
        number=number,
        positions=positions,
        batch=batch,
        logits=logits,
        references=references,
        seconds=time.perf_counter() - begin,
    )


def _finish(images: ImageSet, started: _Started, candidates: Sequence[Candidate]) -> Outcome:
    begin = time.perf_counter()
    batch = started.batch
    positions = batch.positions.tolist()
    tops: list[NDArray[np.int64]] = []
    confidences: list[NDArray[np.float32]] = []
    references: list[NDArray[np.int64] | None] = []
    columns = zip(candidates, started.logits, started.references, strict=bool(positions))
    for candidate, answer, exact in columns:
        logits = _finite(candidate.run, answer, positions, images)
        tops.append(top_five(logits))
        confidences.append(best_softmax(logits / np.float32(candidate.run.crops)))
        best = None
        if exact is not None:
            best = top_five(_finite(candidate.run, exact, positions, images))[:, 0]
        references.append(best)
    batch.hand_back()
    entries = to_entries(
        images,
        batch=started.number,
        positions=positions,
        tops=tops,
        confidences=confidences,
        references=references,
        forms=batch.forms,
    )
    return Outcome(
        entries=_merge(images, started.number, started.positions, entries, batch.failures),
        reading=batch.seconds,
        network=started.seconds + time.perf_counter() - begin,
    )


def best_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax (N,) of the largest of the logits (N, classes) of each image."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    best: NDArray[np.float32] = (1 / np.exp(shifted).sum(axis=1)).astype(np.float32)
    return best


def _finite(
    run: Run, answer: Answer, positions: Sequence[int], images: ImageSet
) -> NDArray[np.float32]:
    """Wait for logits, and return them."""
    logits = answer.wait()
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        image = images.ids[positions[int(finite.argmin())]]
        cure = "are its weights or its preprocessing damaged?"
        if run.precision == "fp16":
            cure = "fp16 holds no number above 65504; use another --precision"
        raise CheckpointError(
            f"{run.checkpoint}: finite logits expected, found others for image {image}; {cure}"
        )
    return logits


def _merge(
    images: ImageSet,
    number: int,
    positions: Sequence[int],
    entries: Sequence[Entry],
    failures: Sequence[Failure],
) -> list[Entry]:
    """Return the entries of all images of a batch in its order, those that failed among them."""
    found = {entry.image: entry for entry in entries}
    for failure in failures:
        image = images.ids[failure.position]
        label = int(images.labels[failure.position])
        found[image] = Entry(batch=number, image=image, label=label, failure=failure.reason)
    return [found[images.ids[position]] for position in positions]
