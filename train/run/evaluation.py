"""What a network gets right between two epochs, measured as resnext-validate measures it.

The network is built anew from its tensors, folded and run in fp32 on the same batches in the same
order, so that a checkpoint that is validated later gives the same counts.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from resnext.checkpoint import Checkpoint
from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.inference.arithmetic import DTYPES, Precision
from resnext.inference.evaluation import BatchResult, Way, evaluate_rounds, first_not_finite
from resnext.inference.fusion import refusal
from resnext.inference.metrics import Counts, count, top_five
from resnext.inference.plan import make_plan
from resnext.inference.predictor import Predictor
from resnext.inference.scaling import refusals, takes_over
from resnext.loader.batch import check_readable
from resnext.loader.batches import memory_explained
from resnext.machine import usual_batch_size
from resnext.pixels.pipelines import Preparation
from train.run.resources import Resources
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What was decided on one batch."""

    number: int
    counts: Counts
    loss: float
    decisions: list[int]


def kernel_notes(device: torch.device) -> list[str]:
    """Return what the user should know about the kernels of a validation, one sentence each.

    They are compiled and tried for this: on a GPU that takes seconds, and the first step does not
    wait for it.
    """
    text = refusal(device, DTYPES[Precision.FP32])  # a training validates in fp32
    return [*refusals(device), *([text] if text else [])]


def evaluate(
    checkpoint: Checkpoint,
    images: ImageSet,
    resources: Resources,
    *,
    pause: Callable[[int, DataError | None], None],
) -> Score | None:
    """Measure a network on images, together with the other processes of the job.

    Batches are cut before they are dealt out, and no image is measured twice.

    Args:
        checkpoint: the network, the same in all processes; its preprocessing is applied.
        images: with the labels of the network.
        resources: the processes, their devices, and the workers that read ahead.
        pause: called by all processes after each round of batches, with the number of images
            that this one has measured, and why it could not go on; may raise to end the
            measurement in all processes together.

    Returns:
        The score on the process that leads, None on the others.

    Raises:
        DataError: an image that cannot be read, or not enough memory.
        DivergedError: logits that are not finite.
    """
    assert checkpoint.preprocessing is not None
    job, device = resources.job, resources.device
    plan = make_plan(len(images), limit=None, seed=0, batch_size=usual_batch_size(device))
    way = Way(
        predictor=Predictor(checkpoint.build(), device=device, precision=Precision.FP32),
        preparation=Preparation(checkpoint.preprocessing, on_device=takes_over(device)),
    )
    parts: list[_Part] = []
    results = evaluate_rounds(
        images, plan, [way], job=job, workers=resources.workers, heard=resources.heard
    )
    with closing(results):
        for _ in range(0, plan.batches, job.size):
            result, error = _next(results)
            if result is not None:
                parts.append(_decide(result, images))
            pause(len(result.positions) if result is not None else 0, error)
            if error is not None:
                raise error
    resources.heard.say()
    everyone = job.gather(parts)
    return None if everyone is None else _score([part for some in everyone for part in some])


def _next(
    results: Generator[BatchResult | None, None, None],
) -> tuple[BatchResult | None, DataError | None]:
    """Return the result of this process's next batch, or why there is none."""
    try:
        with memory_explained():
            result = next(results)
        if result is not None:
            check_readable(result.failures)
    except DataError as error:
        return None, error
    return result, None


def _decide(result: BatchResult, images: ImageSet) -> _Part:
    (logits,) = (each.values for each in result.logits)
    if first_not_finite(logits) is not None:
        raise DivergedError("finite logits expected in the validation, found others")
    labels = images.labels[result.positions]
    decisions = top_five(logits)
    return _Part(
        number=result.number,
        counts=count(decisions, labels),
        loss=_cross_entropy(logits.astype(np.float64), labels),
        decisions=decisions[:, 0].tolist(),
    )


def _cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the sum of the cross entropies of logits (N, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(labels)), labels].sum())


def _score(parts: list[_Part]) -> Score:
    """Add up the parts of all processes in the order of their batches."""
    parts = sorted(parts, key=lambda part: part.number)
    counts = sum((part.counts for part in parts), Counts())
    return Score(
        counts=counts,
        loss=sum(part.loss for part in parts) / counts.images,
        decisions=np.array([each for part in parts for each in part.decisions], np.int32),
    )
