"""Networks x images -> decisions, in one pass over the images for all networks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.data.sources import ImageSet
from resnext.errors import CheckpointError, DataError
from resnext.model import ResNeXt
from validate.batches import Batch, read_batches
from validate.metrics import Counts, count, top_five
from validate.protocols import Protocol


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A network to be measured.

    Attributes:
        checkpoint: its file, as it was given.
        protocol: how it is measured.
        network: in evaluation mode, float32.
    """

    checkpoint: str
    protocol: Protocol
    network: ResNeXt


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What the networks decided on some images.

    Attributes:
        ids: of the N images.
        labels: (N,) int64 class indices.
        top_five: for each network, (N, min(5, classes)) int64 class indices, the best first.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    top_five: tuple[NDArray[np.int64], ...]


def evaluate(
    images: ImageSet, candidates: Sequence[Candidate], *, batch_size: int, workers: int
) -> Iterator[Decisions]:
    """Yield what the networks decide on all images, batch by batch in the images' order.

    Each image is read and decoded once, and prepared once for each distinct preprocessing.

    Args:
        images: with the classes of the networks.
        candidates: one network or more.
        batch_size: images of a batch, >= 1.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        DataError: another number of classes than a network has (before anything is read), or an
            image that cannot be read.
        ImageError: an image that cannot be decoded, named.
        CheckpointError: logits that are not finite.
    """
    for candidate in candidates:
        _check_classes(images, candidate)
    needed = tuple(dict.fromkeys(each.protocol.preprocessing for each in candidates))
    batches = read_batches(images.items, needed, batch_size=batch_size, workers=workers)
    places = [needed.index(each.protocol.preprocessing) for each in candidates]
    return _decide(batches, list(zip(candidates, places, strict=True)))


def tally(
    decisions: Iterator[Decisions], networks: int, *, progress: Callable[[int], None]
) -> tuple[Counts, ...]:
    """Count what each network got right.

    Args:
        decisions: as `evaluate` yields them.
        networks: how many there are.
        progress: called with the number of images of each batch, once it is counted.
    """
    totals = [Counts()] * networks
    for batch in decisions:
        for n, top in enumerate(batch.top_five):
            totals[n] += count(top, batch.labels)
        progress(len(batch.ids))
    return tuple(totals)


def compute_logits(network: ResNeXt, pixels: Tensor) -> NDArray[np.float32]:
    """Return the logits (N, classes) of pictures (N, 3, H, W), both float32.

    Channels go last in memory, where grouped convolutions are half as fast again on a CPU.
    """
    with torch.inference_mode():
        logits: Tensor = network(pixels.contiguous(memory_format=torch.channels_last))
    return logits.numpy()


def _decide(
    batches: Iterator[Batch], candidates: Sequence[tuple[Candidate, int]]
) -> Iterator[Decisions]:
    """Yield the decisions of candidates, each with the place of its pixels in a batch."""
    for batch in batches:
        top = (_top_five(each, batch, batch.pixels[place]) for each, place in candidates)
        yield Decisions(ids=batch.ids, labels=batch.labels, top_five=tuple(top))


def _top_five(candidate: Candidate, batch: Batch, pixels: Tensor) -> NDArray[np.int64]:
    logits = compute_logits(candidate.network, pixels)
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        raise CheckpointError(
            f"{candidate.checkpoint}: finite logits expected, found others for image "
            f"{batch.ids[int(finite.argmin())]}; are its weights or its preprocessing damaged?"
        )
    return top_five(logits)


def _check_classes(images: ImageSet, candidate: Candidate) -> None:
    expected, found = candidate.network.spec.classes, len(images.classes)
    if found != expected:
        raise DataError(
            f"{images.root}: {expected} class folders expected, as {candidate.checkpoint} has "
            f"{expected} classes, found {found}"
        )
