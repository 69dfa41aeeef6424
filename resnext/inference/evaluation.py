"""One pass over images that runs networks on them: what validation and training both call."""

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnext.distributed.job import Job
from resnext.errors import CheckpointError
from resnext.fields import cut
from resnext.images.image_set import PictureSet
from resnext.inference.pending import PendingValues
from resnext.inference.plan import Plan
from resnext.inference.predictor import Predictor
from resnext.loader.batch import Batch, Failure, Seconds
from resnext.loader.batches import Reading, read_batches
from resnext.loader.library_warnings import LibraryWarnings
from resnext.pixels.pipelines import Preparation
from resnext.pixels.raw_crops import RawCrops


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """A network and how images are prepared for it.

    Attributes:
        predictor: the network.
        preparation: from pixels to the network's input.
        reference: the same network in fp32, to compare its decisions; or None.
    """

    predictor: Predictor
    preparation: Preparation
    reference: Predictor | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logits:
    """The logits of one way for the images of a batch.

    Attributes:
        values: (N, classes) float32, not checked to be finite; with features behind them, where the
            predictor gives some.
        reference: (M, classes) float32 of the reference for the first M images, or None.
    """

    values: NDArray[np.float32]
    reference: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchResult:
    """What the networks computed for one batch.

    Attributes:
        number: of the batch in the plan.
        wanted: positions in the image set of all images of the batch, in its order.
        positions: (N,) int64, those of them that could be read.
        logits: of each way, in order; empty where N is 0.
        failures: of the images that could not be read.
        forms: position -> what was not ordinary about the picture.
        reading: seconds of the process that read the batch.
        network: seconds spent in the networks.
    """

    number: int
    wanted: list[int]
    positions: NDArray[np.int64]
    logits: tuple[Logits, ...]
    failures: tuple[Failure, ...]
    forms: Mapping[int, str]
    reading: Seconds
    network: float


def evaluate_rounds(
    images: PictureSet,
    plan: Plan,
    ways: Sequence[Way],
    *,
    job: Job,
    workers: int,
    first: int = 0,
    compared: int = 0,
    heard: LibraryWarnings | None = None,
    begun: Reading | None = None,
    on_read: Callable[[], object] = lambda: None,
) -> Generator[BatchResult | None, None, None]:
    """Deal out the batches of a plan to the processes of a job, one each a round.

    Every process gets as many rounds, so that all can communicate after each.

    Args:
        images, plan, ways, workers, compared, heard, begun, on_read: see `evaluate`.
        job: the processes; all call this.
        first: number of the first batch that is evaluated.

    Yields:
        The result of this process's batch of a round; None where the last round has none for it.
    """
    numbers = range(first + job.rank, plan.batches, job.size)
    results = evaluate(
        images,
        plan,
        ways,
        batches=numbers,
        workers=workers,
        compared=compared,
        heard=heard,
        begun=begun,
        on_read=on_read,
    )
    with closing(results):
        for _ in range(first, plan.batches, job.size):
            yield next(results, None)


def evaluate(
    images: PictureSet,
    plan: Plan,
    ways: Sequence[Way],
    *,
    batches: Sequence[int],
    workers: int,
    compared: int = 0,
    heard: LibraryWarnings | None = None,
    begun: Reading | None = None,
    on_read: Callable[[], object] = lambda: None,
) -> Generator[BatchResult, None, None]:
    """Yield what the networks compute for some batches of a plan, in the order given.

    Each image is read and decoded once, and prepared once for each distinct preparation.

    Args:
        images: the whole set.
        plan: cuts the batches.
        ways: one or more.
        batches: numbers of batches of the plan, none of those that were measured earlier.
        workers: processes that read ahead; 0 reads in this one.
        compared: the first so many images of the plan also go through the references.
        heard: takes what libraries print about the images.
        begun: a reading that was begun before, and is used where it reads what is wanted here.
        on_read: called whenever a batch has been read.

    Raises:
        DataError: not enough memory; see `memory_explained`.
    """
    preparations = tuple(dict.fromkeys(way.preparation for way in ways))
    columns = [preparations.index(way.preparation) for way in ways]
    wanted = [plan.batch(number).tolist() for number in batches]
    pinned = any(way.predictor.device.type == "cuda" for way in ways)
    if begun is not None and begun.reads(wanted, preparations, workers=workers, pinned=pinned):
        read = begun
        read.heard = heard or read.heard
    else:
        if begun is not None:
            begun.close()
        read = read_batches(
            images,
            wanted,
            preparations,
            workers=workers,
            pinned=pinned,
            handed_back=True,
            heard=heard,
        )
    ahead = max(way.predictor.ahead for way in ways)
    pending: deque[_PendingBatch] = deque()
    with closing(read):
        for way in ways if wanted else ():  # while the workers read
            pictures = len(wanted[0]) * way.preparation.crops
            way.predictor.warm_up(pictures, side=way.preparation.preprocessing.crop)
        for number, positions, batch in zip(batches, wanted, read, strict=True):
            on_read()
            few = set(positions[: max(compared - plan.first(number), 0)])
            pending.append(_start(number, positions, batch, ways, columns=columns, few=few))
            if len(pending) > ahead:
                yield _finish(pending.popleft())
    while pending:
        yield _finish(pending.popleft())


def check_finite(
    logits: NDArray[np.float32], name_of: Callable[[int], str], *, checkpoint: str, precision: str
) -> None:
    """Check the logits (N, classes) of some images.

    Args:
        logits: of N images.
        name_of: returns the name of the image of a row.
        checkpoint, precision: what computed them.

    Raises:
        CheckpointError: some are not finite.
    """
    row = first_not_finite(logits)
    if row is None:
        return
    cure = "are its weights or its preprocessing damaged?"
    if precision == "fp16":
        cure = "fp16 holds no number above 65504; use another --precision"
    raise CheckpointError(
        f"{checkpoint}: finite logits expected, found others for image {cut(name_of(row))}; {cure}"
    )


def first_not_finite(logits: NDArray[np.float32]) -> int | None:
    """Return the row of the first image whose logits (N, classes) are not all finite, or None."""
    finite = np.isfinite(logits).all(axis=1)
    return None if finite.all() else int(finite.argmin())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _PendingBatch:
    """A batch whose logits may still be being computed: of each way, and of its reference."""

    number: int
    wanted: list[int]
    batch: Batch
    logits: list[tuple[PendingValues, PendingValues | None]]
    seconds: float


def _start(
    number: int,
    wanted: list[int],
    batch: Batch,
    ways: Sequence[Way],
    *,
    columns: Sequence[int],
    few: set[int],
) -> _PendingBatch:
    begin = time.perf_counter()
    count = sum(position in few for position in batch.positions.tolist())
    logits: list[tuple[PendingValues, PendingValues | None]] = []
    for way, column in zip(ways, columns, strict=True) if len(batch.positions) else ():
        inputs = batch.inputs[column]
        started = way.predictor.start(inputs)
        reference = None
        if way.reference is not None and count:
            part = inputs.first(count) if isinstance(inputs, RawCrops) else inputs[:count]
            reference = way.reference.start(part)
        logits.append((started, reference))
    seconds = time.perf_counter() - begin
    return _PendingBatch(number=number, wanted=wanted, batch=batch, logits=logits, seconds=seconds)


def _finish(pending: _PendingBatch) -> BatchResult:
    begin = time.perf_counter()
    logits = tuple(
        Logits(values=values.wait(), reference=None if reference is None else reference.wait())
        for values, reference in pending.logits
    )
    batch = pending.batch
    batch.hand_back()
    return BatchResult(
        number=pending.number,
        wanted=pending.wanted,
        positions=batch.positions,
        logits=logits,
        failures=batch.failures,
        forms=batch.forms,
        reading=batch.seconds,
        network=pending.seconds + time.perf_counter() - begin,
    )
