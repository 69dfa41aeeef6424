"""Batches as they were read, to the parts of a step on their device."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnext.loader.batch import Batch, check_readable
from resnext.loader.upload import Arrival, Upload
from train.step.learner import Part


def arriving(batches: Iterable[Batch], labels: NDArray[np.int64], upload: Upload) -> Iterator[Part]:
    """Yield a part for each batch, while those behind it that are worth sending are on their way.

    Args:
        batches: prepared in one way.
        labels: of all images, by position.
        upload: the way to the device.

    Raises:
        DataError: an image that could not be read.
    """
    sent: deque[tuple[Arrival[Tensor], Arrival[Tensor]]] = deque()

    def part() -> Part:
        inputs, targets = sent.popleft()
        return Part(inputs=inputs.take(), labels=targets.take())

    for batch in batches:
        check_readable(batch)
        # The few bytes first: they are not pinned, and might be waited for.
        targets = upload.begin(torch.from_numpy(labels[batch.positions]))
        sent.append((upload.begin(batch.tensor()), targets))
        if len(sent) > upload.ahead:
            yield part()
    while sent:
        yield part()
