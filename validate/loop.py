"""The pass over the images: batches are dealt out to processes, decisions brought together."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.inference.plan import Plan
from validate import canary
from validate.evaluate import Candidate, Outcome, evaluate
from validate.ledger.entries import Collection, Entry
from validate.ledger.ledger import Ledger
from validate.verdicts.results import Timing
from validate.watcher import Watcher


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is measured, and how.

    Attributes:
        images: labelled with the classes of the networks.
        plan: which of them, in which batches.
        candidates: every way to measure every network.
        classes: of the networks.
        claimed: for each candidate, whether somebody has published a number for it.
        workers: processes that read ahead for each process of the job; 0 reads in it.
        compared: so many images are decided in fp32 too.
        canary: stop where nearly everything is wrong.
    """

    images: ImageSet
    plan: Plan
    candidates: tuple[Candidate, ...]
    classes: int
    claimed: tuple[bool, ...]
    workers: int
    compared: int
    canary: bool


def run(
    subject: Subject, job: Job, ledger: Ledger | None, watcher: Watcher
) -> tuple[Collection, Timing] | None:
    """Measure what the ledger does not have yet, together with the other processes of the job.

    In each round every process measures a batch. The one that leads writes the decisions of all to
    the ledger before the next round, so that it always holds the first so many batches.

    Args:
        subject: the same in all processes.
        job: the processes.
        ledger: open, on the process that leads; or None.
        watcher: is told of the progress.

    Returns:
        All decisions and where the time went, on the process that leads; None on the others.

    Raises:
        DataError: the canary sings, or there is not enough memory.
        CheckpointError: logits that are not finite.
        JobError: another process has ended.
        OSError: the ledger cannot be written.
    """
    plan = subject.plan
    collected = Collection(
        subject.images, plan, runs=len(subject.candidates), classes=subject.classes
    )
    if ledger:
        collected.restore(ledger.done, source=str(ledger.path))
    done = job.tell(ledger.batches if ledger else 0)
    before = int(collected.done.sum())
    outcomes = evaluate(
        subject.images,
        plan,
        subject.candidates,
        batches=range(done + job.rank, plan.batches, job.size),
        workers=subject.workers,
        compared=subject.compared,
    )
    spent = _Spent()
    begin = time.perf_counter()
    with closing(outcomes), watcher.progress("measuring", len(plan), before) as advance:
        rounds = -(-(plan.batches - done) // job.size)
        for entries in _rounds(outcomes, rounds, job, spent):
            if ledger:
                ledger.append(entries)
            collected.add(entries)
            advance(len(entries))
            _listen(subject, collected, new=len(entries))
    wall = time.perf_counter() - begin
    parts = job.gather(spent.to_list())
    if parts is None:
        return None
    return collected, _timing(parts, images=int(collected.done.sum()) - before, wall=wall)


def _rounds(
    outcomes: Iterator[Outcome], rounds: int, job: Job, spent: "_Spent"
) -> Iterator[list[Entry]]:
    """Yield, on the process that leads, the entries of all processes round by round."""
    for _ in range(rounds):
        outcome = next(outcomes, None)
        if outcome is not None:
            spent.add(outcome)
            if job.size == 1:
                yield outcome.entries
                continue
        mine = [entry.to_fields() for entry in outcome.entries] if outcome else []
        everyone = job.gather(mine)
        if everyone is not None:
            yield [Entry.from_fields(fields) for part in everyone for fields in part]


def _listen(subject: Subject, collected: Collection, *, new: int) -> None:
    """Let the canary look at what is in so far, of which so much is new."""
    before = int(collected.done.sum()) - new
    if not subject.canary or not canary.is_awake(before):
        return
    pairs = zip(subject.candidates, collected.counts(), subject.claimed, strict=True)
    claimed = [(each.run.network, counts) for each, counts, claim in pairs if claim]
    canary.check(claimed, root=subject.images.root)


class _Spent:
    """Where the time of one process went."""

    def __init__(self) -> None:
        self.reading = self.decoding = self.preparing = self.network = 0.0

    def add(self, outcome: Outcome) -> None:
        self.reading += outcome.reading.reading
        self.decoding += outcome.reading.decoding
        self.preparing += outcome.reading.preparing
        self.network += outcome.network

    def to_list(self) -> list[float]:
        return [self.reading, self.decoding, self.preparing, self.network]


def _timing(parts: Sequence[Sequence[float]], *, images: int, wall: float) -> Timing:
    reading, decoding, preparing, network = (sum(column) for column in zip(*parts, strict=True))
    return Timing(
        images=images,
        wall=wall,
        reading=reading,
        decoding=decoding,
        preparing=preparing,
        network=network,
    )
