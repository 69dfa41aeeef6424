from collections.abc import Iterator

import numpy as np
import pytest
import torch

from resnext.errors import DataError
from resnext.loader.batch import Batch, Failure, Seconds
from resnext.loader.upload import Upload
from train.step.micro_batch import micro_batches

LABELS = np.array([7, 5, 3, 1, 0])


def batch(*positions: int, failures: tuple[Failure, ...] = ()) -> Batch:
    return Batch(
        positions=np.array(positions),
        inputs=(torch.tensor(positions, dtype=torch.float32)[:, None, None, None],),
        failures=failures,
        forms={},
        seconds=Seconds(),
    )


@pytest.mark.parametrize(
    ("ahead", "order"),
    [
        (0, ["read 0", "part 0", "read 1", "part 1", "read 2", "part 2"]),
        (1, ["read 0", "read 1", "part 0", "read 2", "part 1", "part 2"]),
    ],
)
def test_batches_are_sent_ahead_of_their_part(ahead: int, order: list[str]) -> None:
    seen: list[str] = []

    def read() -> Iterator[Batch]:
        for number, positions in enumerate([(0, 1), (2,), (4, 3)]):
            seen.append(f"read {number}")
            yield batch(*positions)

    upload = Upload(torch.device("cpu"))
    upload.ahead = ahead
    found = []
    for number, part in enumerate(micro_batches(read(), LABELS, upload)):
        seen.append(f"part {number}")
        found.append((part.inputs.flatten().tolist(), part.labels.tolist()))
    assert seen == order
    assert found == [([0, 1], [7, 5]), ([2], [3]), ([4, 3], [0, 1])]


def test_image_that_cannot_be_read_ends_it() -> None:
    broken = batch(0, failures=(Failure(position=1, reason="b.JPEG: no image"),))
    parts = micro_batches([batch(2), broken], LABELS, Upload(torch.device("cpu")))
    assert next(parts).labels.tolist() == [3]
    with pytest.raises(DataError, match=r"b\.JPEG: no image"):
        next(parts)
