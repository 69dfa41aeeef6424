"""Labelled images to batches of network input, read and decoded by worker processes."""

import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resnext.data.images import decode
from resnext.data.sources import Item
from resnext.data.transforms import prepare_pixels
from resnext.errors import DataError, ImageError, ResnextError
from resnext.preprocessing import Preprocessing

# How PyTorch says, in a RuntimeError, that a tensor was too large, or that a worker was killed.
NO_MEMORY: Final = "DefaultCPUAllocator"
DEAD_WORKER: Final = "DataLoader worker"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some images in their order, as networks see them.

    Attributes:
        ids: of the N images.
        labels: (N,) int64 class indices.
        pixels: for each preprocessing, (N, 3, crop, crop) float32.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    pixels: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    item: Item
    pixels: tuple[NDArray[np.float32], ...]


class _Images(Dataset["_Sample | ResnextError"]):
    """Images by number. Errors are values here: one raised in a worker would come back changed."""

    def __init__(self, items: Sequence[Item], preprocessings: Sequence[Preprocessing]) -> None:
        self.items = items
        self.preprocessings = preprocessings

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> "_Sample | ResnextError":
        item = self.items[index]
        try:
            picture = decode(item.path.read_bytes())
            return _Sample(item, tuple(prepare_pixels(picture, p) for p in self.preprocessings))
        except ImageError as error:
            return ImageError(f"{item.path}: {error}")
        except OSError as error:
            return DataError(f"{item.path}: cannot be read: {error.strerror}")


def read_batches(
    items: Sequence[Item],
    preprocessings: Sequence[Preprocessing],
    *,
    batch_size: int,
    workers: int,
) -> Iterator[Batch]:
    """Yield all images in their order, each read and decoded once.

    Args:
        items: one image or more.
        preprocessings: applied one by one to each decoded image.
        batch_size: images of a batch, >= 1; the last may be smaller.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        ImageError: an image cannot be decoded or prepared; the message starts with its path.
        DataError: an image cannot be read.
    """
    with warnings.catch_warnings():
        # More workers than processors is a choice, not worth two lines on stderr.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader: DataLoader[_Sample | ResnextError] = DataLoader(
            _Images(items, preprocessings),
            batch_size=batch_size,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=_ignore_interrupt,
        )
        batches: Iterator[Batch | ResnextError] = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, ResnextError):
                raise batch
            yield batch
    finally:
        del batches  # ends the workers now, not once the error's traceback is collected


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn what PyTorch raises for want of memory, here or in a worker, into a `DataError`.

    The loader raises the death of a worker from a signal handler, so at whatever line the main
    process has reached: this belongs around all that is done while batches are read.
    """
    try:
        yield
    except (RuntimeError, MemoryError, ConnectionError, EOFError) as error:
        if isinstance(error, MemoryError) or NO_MEMORY in str(error):
            raise DataError("a batch does not fit in memory; use a smaller --batch-size") from error
        if isinstance(error, RuntimeError) and not str(error).startswith(DEAD_WORKER):
            raise
        # The loader's handler would raise again as each of the other workers ends.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise DataError(
            "a process that reads images was killed, probably for want of memory or of shared "
            "memory (/dev/shm); use a smaller --batch-size, or --workers 0"
        ) from error


def _collate(samples: "list[_Sample | ResnextError]") -> Batch | ResnextError:
    good: list[_Sample] = []
    for sample in samples:
        if isinstance(sample, ResnextError):
            return sample
        good.append(sample)
    columns = zip(*(sample.pixels for sample in good), strict=True)
    return Batch(
        ids=tuple(sample.item.id for sample in good),
        labels=np.array([sample.item.label for sample in good], np.int64),
        pixels=tuple(torch.from_numpy(np.stack(column)) for column in columns),
    )


def _ignore_interrupt(worker: int) -> None:  # noqa: ARG001 - the loader passes it
    """Leave Ctrl-C to the main process, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
