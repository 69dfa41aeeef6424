"""Reading that begins before torch is imported, for the device that is probably there."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from resnext.images.image_set import PictureSet
from resnext.loader.batches import Reading, read_batches
from resnext.loader.pictures import Prepare
from resnext.machine import DeviceKind


@contextmanager
def reading_begun(
    images: PictureSet,
    batches: Sequence[list[int]],
    prepares: Sequence[Prepare],
    *,
    device: DeviceKind,
    workers: int,
) -> Iterator[Reading | None]:
    """Yield a reading of what will probably be computed; it is closed after the block.

    While torch is imported, the processes that read decode the first batches. Which these are
    depends on the device, of which torch has the last word: `resnext.inference.evaluation.evaluate`
    uses the reading only where it is the one that is wanted.

    Args:
        images: the image set.
        batches: for each batch the positions of its images.
        prepares: the preparations, each applied to every decoded image.
        device: see `resnext.machine.expected_device`.
        workers: number of processes.

    Yields:
        None where no process reads ahead.

    Raises:
        DataError: there are too many files or processes.
    """
    if not workers:
        yield None
        return
    pinned = device.type == "cuda"
    reading = read_batches(
        images, batches, prepares, workers=workers, pinned=pinned, handed_back=True
    )
    with closing(reading):
        yield reading
