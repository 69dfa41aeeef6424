"""The pass of a measurement: batches dealt out to processes, decisions collected in a ledger."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import titles
from resnext.inference.evaluation import BatchResult, Way, check_finite, evaluate_rounds
from resnext.inference.metrics import top_five
from resnext.inference.plan import Plan
from resnext.inference.predictor import Predictor
from resnext.loader.batch import Seconds
from resnext.loader.batches import Reading
from resnext.loader.library_warnings import LibraryWarnings
from resnext.pixels.pipelines import Preparation
from resnext.terminal.timeline import Step
from resnext.terminal.watcher import Watcher
from validate.ledger.entries import Collection, Entry, to_entries
from validate.ledger.ledger import Ledger
from validate.verdicts import early_check
from validate.verdicts.diagnosis import ALPHA
from validate.verdicts.relabelling import find_relabelling, listed, majorities
from validate.verdicts.results import MeasuredRun, Timing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedRun:
    """A run whose network is ready to compute.

    Attributes:
        run: what is measured.
        predictor: the network; runs of one checkpoint share theirs.
        reference: the same network in fp32, with whose decisions those are compared; or None.
        on_device: the device scales and normalises where it can.
    """

    run: MeasuredRun
    predictor: Predictor
    reference: Predictor | None = None
    on_device: bool = False

    @property
    def way(self) -> Way:
        """Return the network and the preparation of its images."""
        run = self.run
        preparation = Preparation(run.preprocessing, run.crops, self.on_device)
        return Way(predictor=self.predictor, preparation=preparation, reference=self.reference)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """What is measured, and how.

    Attributes:
        images: labelled with the classes of the networks.
        plan: which of them, in which batches.
        runs: every way to measure every network.
        classes: of the networks.
        claimed: for each run, whether an error rate is claimed for its checkpoint.
        workers: processes that read ahead for each process of the job; 0 reads in it.
        compared: so many images are decided in fp32 too.
        stops_early: stop where nearly every decision is wrong.
        begun: see `evaluate`.
    """

    images: ImageSet
    plan: Plan
    runs: tuple[PreparedRun, ...]
    classes: int
    claimed: tuple[bool, ...]
    workers: int
    compared: int
    stops_early: bool
    begun: Reading | None = None


@dataclass(slots=True, kw_only=True)
class _BusySeconds:
    """How long one process and its workers were busy."""

    reading: Seconds = field(default_factory=Seconds)
    network: float = 0.0


def run_pass(
    measurement: Measurement, job: Job, ledger: Ledger | None, watcher: Watcher
) -> tuple[Collection, Timing] | None:
    """Measure what the ledger does not have yet, together with the other processes of the job.

    In each round every process measures a batch. Rank 0 writes the decisions of all processes to
    the ledger before the next round, so that the ledger always holds the first batches of the plan.

    Args:
        measurement: the same in all processes.
        job: the processes.
        ledger: open, on rank 0; or None.
        watcher: is told of the progress, and at the end of what libraries warned of.

    Returns:
        All decisions and where the time went, on rank 0; None on the others.

    Raises:
        DataError: nearly every decision is wrong, or there is not enough memory.
        CheckpointError: logits that are not finite.
        JobError: another process has ended.
        OSError: the ledger cannot be written.
    """
    plan = measurement.plan
    collected = Collection(
        measurement.images, plan, runs=len(measurement.runs), classes=measurement.classes
    )
    if ledger:
        collected.restore(ledger.done, source=str(ledger.path))
    images, batches = job.tell([len(ledger.done), ledger.batches] if ledger else [0, 0])
    before = int(collected.done.sum())
    heard = LibraryWarnings(watcher.note)
    results = evaluate_rounds(
        measurement.images,
        plan.after(images=images, batches=batches),
        [each.way for each in measurement.runs],
        job=job,
        workers=measurement.workers,
        first=batches,
        compared=measurement.compared,
        heard=heard,
        begun=measurement.begun,
        on_read=partial(watcher.mark, Step.READ),
    )
    busy = _BusySeconds()
    begin = time.perf_counter()
    try:
        with closing(results), watcher.progress("measuring", len(plan), before) as advance:
            for entries in _gathered(results, measurement, job, busy):
                if ledger:
                    ledger.append(entries)
                collected.add(entries)
                watcher.mark(Step.DECIDED)
                advance(len(entries))
                _check_early(measurement, collected, new=len(entries))
    except BaseException:
        heard.say()  # it may be why nearly everything is wrong
        raise
    watcher.mark(Step.FINISHED)
    wall = time.perf_counter() - begin
    parts = job.gather(busy)
    others = job.gather(heard.fields)
    if parts is None or others is None:
        return None
    for each in others[1:]:
        heard.join(each)
    heard.say()
    return collected, _timing(parts, images=int(collected.done.sum()) - before, wall=wall)


def _gathered(
    results: Iterator[BatchResult | None], measurement: Measurement, job: Job, busy: _BusySeconds
) -> Iterator[list[Entry]]:
    """Yield, on rank 0, the entries of all processes round by round."""
    runs = [each.run for each in measurement.runs]
    for result in results:
        mine: list[Entry] = []
        if result is not None:
            begin = time.perf_counter()
            mine = entries_of(result, measurement.images, runs)
            busy.network += result.network + time.perf_counter() - begin
            busy.reading += result.reading
        everyone = job.gather(mine)
        if everyone is not None:
            yield [entry for part in everyone for entry in part]


def entries_of(result: BatchResult, images: ImageSet, runs: Sequence[MeasuredRun]) -> list[Entry]:
    """Return an entry for each image of a batch, in its order.

    Args:
        result: of the batch.
        images: the whole set.
        runs: one for each way of the result.

    Raises:
        CheckpointError: logits that are not finite.
    """
    tops: list[NDArray[np.int64]] = []
    confidences: list[NDArray[np.float32]] = []
    references: list[NDArray[np.int64] | None] = []
    for run, logits in zip(runs, result.logits, strict=bool(result.logits)):
        _check_finite(logits.values, run, result, images)
        tops.append(top_five(logits.values))
        confidences.append(best_softmax(logits.values / np.float32(run.crops)))
        best = None
        if logits.reference is not None:
            _check_finite(logits.reference, run, result, images)
            best = top_five(logits.reference)[:, 0]
        references.append(best)
    entries = to_entries(
        images,
        batch=result.number,
        positions=result.positions.tolist(),
        tops=tops,
        confidences=confidences,
        references=references,
        forms=result.forms,
    )
    found = {entry.image: entry for entry in entries}
    for failure in result.failures:
        image = images.ids[failure.position]
        label = int(images.labels[failure.position])
        found[image] = Entry(batch=result.number, image=image, label=label, failure=failure.reason)
    return [found[images.ids[position]] for position in result.wanted]


def best_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax (N,) of the largest of the logits (N, classes) of each image."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    best: NDArray[np.float32] = (1 / np.exp(shifted).sum(axis=1)).astype(np.float32)
    return best


def _check_finite(
    logits: NDArray[np.float32], run: MeasuredRun, result: BatchResult, images: ImageSet
) -> None:
    def name_of(row: int) -> str:
        return images.ids[int(result.positions[row])]

    check_finite(logits, name_of, checkpoint=run.checkpoint, precision=run.precision)


def _check_early(measurement: Measurement, collected: Collection, *, new: int) -> None:
    """Stop where the decisions so far are nearly all wrong; so many of them are new."""
    before = int(collected.done.sum()) - new
    if not measurement.stops_early or not early_check.is_due(before):
        return
    claimed = [place for place, claim in enumerate(measurement.claimed) if claim]
    counts = collected.counts()
    early_check.check(
        [(measurement.runs[place].run.network, counts[place]) for place in claimed],
        root=measurement.images.root,
        seen=lambda place: _seen(measurement, collected.top_five[claimed[place]]),
    )


def _seen(measurement: Measurement, top_five: NDArray[np.int32]) -> str | None:
    """Return which classes are answered as which; None if no class has an answer of its own.

    Args:
        measurement: of which nearly every decision is wrong.
        top_five: (N, K) decisions of a run on the images of the plan, -1 where there is none yet.
    """
    images = measurement.images
    names = titles(images.classes)
    read = top_five[:, 0] >= 0
    answers, labels = top_five[read, 0], images.labels[measurement.plan.positions][read]
    found = find_relabelling(
        answers,
        labels,
        classes=measurement.classes,
        rate=0.5,  # far above any published error
        alpha=ALPHA,
    )
    if found:
        return found.describe(names)
    answered = majorities(answers, labels)
    wrong = {label: answer for label, answer in answered.items() if label != answer}
    return f"most images are answered as another class, {listed(wrong, names)}" if wrong else None


def _timing(parts: Sequence[_BusySeconds], *, images: int, wall: float) -> Timing:
    read = sum((each.reading for each in parts), Seconds())
    return Timing(
        images=images,
        wall=wall,
        reading=read.reading,
        decoding=read.decoding,
        preparing=read.preparing,
        network=sum(each.network for each in parts),
    )
