"""Micro-batches: the batches that the loader reads, with their labels, on the device."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.loader.batch import Batch, check_readable
from resnext.loader.upload import Arrival, Upload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MicroBatch:
    """The images of one forward and backward pass; a step adds up the gradients of several.

    Attributes:
        inputs: (N, 3, H, W) float32, on any device.
        labels: (N,) int64.
    """

    inputs: Tensor
    labels: Tensor


def micro_batches(
    batches: Iterable[Batch], labels: NDArray[np.int64], upload: Upload
) -> Iterator[MicroBatch]:
    """Yield a micro-batch for each batch, while the next ones are on their way to the device.

    Args:
        batches: prepared in one way.
        labels: (images,) of the whole image set, by position.
        upload: to the device; says how many batches are sent ahead.

    Raises:
        DataError: an image could not be read.
    """
    sent: deque[tuple[Arrival[Tensor], Arrival[Tensor]]] = deque()

    def arrived() -> MicroBatch:
        inputs, targets = sent.popleft()
        return MicroBatch(inputs=inputs.take(), labels=targets.take())

    for batch in batches:
        check_readable(batch.failures)
        # The labels first: they are few bytes, but not pinned, so sending them may wait.
        targets = upload.begin(torch.from_numpy(labels[batch.positions]))
        sent.append((upload.begin(batch.tensor()), targets))
        if len(sent) > upload.ahead:
            yield arrived()
    while sent:
        yield arrived()
