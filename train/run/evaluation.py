"""What a network gets right between two epochs, measured as resnext-validate measures it.

The network is built anew from its tensors, folded and run in fp32 on the same batches in the same
order, so that a checkpoint that is validated later gives the same counts.
"""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resnext.checkpoint import Checkpoint
from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.inference.answer import Answer
from resnext.inference.metrics import Counts, count, top_five
from resnext.inference.predictor import Precision, Predictor
from resnext.inference.scaling import takes_over
from resnext.loader.batch import Batch, check_readable
from resnext.loader.batches import read_batches
from resnext.machine import usual_batch_size
from resnext.pixels.transforms import RawCrop, prepare_pixels, raw_crop
from resnext.preprocessing import Preprocessing
from train.step.loss import DivergedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """How good a network is.

    Attributes:
        counts: over all images.
        loss: mean cross entropy.
        decisions: (N,) int32, the best class of each image, in their order.
    """

    counts: Counts
    loss: float
    decisions: NDArray[np.int32]

    @property
    def wrong(self) -> int:
        """Count the images that were decided wrongly."""
        return self.counts.images - self.counts.top1_correct

    def to_fields(self) -> dict[str, object]:
        """Return the counts and the loss as plain values, ready for JSON."""
        return {
            "images": self.counts.images,
            "top1_correct": self.counts.top1_correct,
            "top5_correct": self.counts.top5_correct,
            "loss": self.loss,
        }


@dataclass(frozen=True, slots=True)
class ValidationView:
    """From pixels to the network's input, as resnext-validate prepares it.

    Attributes:
        preprocessing: the row that belongs to the weights.
        on_device: a GPU scales.
    """

    preprocessing: Preprocessing
    on_device: bool = False

    def __call__(self, pixels: NDArray[np.uint8], position: int) -> NDArray[np.float32] | RawCrop:
        """Return (3, crop, crop), or what a GPU makes that of; the position changes nothing."""
        del position
        prepare = raw_crop if self.on_device else prepare_pixels
        return prepare(pixels, self.preprocessing)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What was decided on one batch."""

    number: int
    counts: Counts
    loss: float
    decisions: list[int]


def evaluate(
    checkpoint: Checkpoint,
    images: ImageSet,
    *,
    device: torch.device,
    workers: int,
    job: Job,
    pause: Callable[[int], None],
) -> Score | None:
    """Measure a network on images, together with the other processes of the job.

    Batches are cut before they are dealt out, and no image is measured twice.

    Args:
        checkpoint: the network, the same in all processes; its preprocessing is applied.
        images: with the labels of the network.
        device: of this process.
        workers: processes that read ahead.
        job: the processes.
        pause: called by all processes after each round of batches, with the number of images
            that this one has measured; may raise to end the measurement.

    Returns:
        The score on the process that leads, None on the others.

    Raises:
        DataError: an image that cannot be read.
        DivergedError: logits that are not finite.
    """
    assert checkpoint.preprocessing is not None
    size = usual_batch_size(device)
    cut = [list(range(at, min(at + size, len(images)))) for at in range(0, len(images), size)]
    mine = range(job.rank, len(cut), job.size)
    predictor = Predictor(checkpoint.build(), device=device, precision=Precision.FP32)
    views = (ValidationView(checkpoint.preprocessing, on_device=takes_over(device)),)
    wanted = [cut[number] for number in mine]
    read = read_batches(
        images,
        wanted,
        views,
        workers=workers,
        pinned=device.type == "cuda",
        handed_back=True,
    )
    started: deque[tuple[int, Batch, Answer]] = deque()
    parts: list[_Part] = []
    with closing(read):
        for number in range(job.rank, job.size * -(-len(cut) // job.size), job.size):
            batch = next(read) if number in mine else None
            if batch is not None:
                check_readable(batch)
                started.append((number, batch, predictor.start(batch.inputs[0])))
                if len(started) > predictor.ahead:
                    parts.append(_decide(*started.popleft(), images))
            pause(len(batch.positions) if batch is not None else 0)
    parts += [_decide(*each, images) for each in started]
    everyone = job.gather([asdict(part) for part in parts])
    return None if everyone is None else _score([part for some in everyone for part in some])


def _decide(number: int, batch: Batch, answer: Answer, images: ImageSet) -> _Part:
    logits = answer.wait()
    batch.hand_back()
    if not np.isfinite(logits).all():
        raise DivergedError("finite logits expected in the validation, found others")
    labels = images.labels[batch.positions]
    decisions = top_five(logits)
    return _Part(
        number=number,
        counts=count(decisions, labels),
        loss=_cross_entropy(logits.astype(np.float64), labels),
        decisions=decisions[:, 0].tolist(),
    )


def _cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the sum of the cross entropies of logits (N, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(labels)), labels].sum())


def _score(rows: list[dict[str, Any]]) -> Score:
    """Add up the parts of all processes in the order of their batches."""
    rows = sorted(rows, key=lambda row: row["number"])
    counts = sum((Counts(**row["counts"]) for row in rows), Counts())
    decisions = [decision for row in rows for decision in row["decisions"]]
    return Score(
        counts=counts,
        loss=sum(row["loss"] for row in rows) / counts.images,
        decisions=np.array(decisions, np.int32),
    )
