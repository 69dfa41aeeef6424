"""Labelled images to batches of network input, read and decoded by worker processes."""

import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from resnext.errors import DataError, ResnextError
from resnext.images.image_set import ImageSet
from resnext.loader.batch import Batch, Collation, Failure, Sample, Seconds
from resnext.loader.buffers import KEPT, BufferPool
from resnext.machine import keep_some_freed_memory, release_freed_memory
from resnext.pixels.decoding import Picture, PictureForm
from resnext.pixels.transforms import RawCrop

# Pixels (H, W, 3) uint8 and the image's position to network input float32, or to what a device
# makes that of; picklable. The position is for what differs from image to image, such as random
# numbers.
Prepare = Callable[[NDArray[np.uint8], int], NDArray[np.float32] | RawCrop]

# How PyTorch says, in a RuntimeError, that a tensor was too large, that one to be handed over was,
# that there are too many of these, or that a worker was killed.
NO_MEMORY: Final = "DefaultCPUAllocator"
NO_SHARED_MEMORY: Final = "shared memory"
NO_FILES: Final = "Too many open files"
DEAD_WORKER: Final = "DataLoader worker"

# The names of files that hold what they say.
SUFFIXES: Final = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}


class _Images(Dataset[Sample | Failure]):
    """Images by position. Errors are values here: one that is raised in a worker would come back
    changed, and one bad image must not cost the others.
    """

    def __init__(self, images: ImageSet, prepares: Sequence[Prepare]) -> None:
        self.images = images
        self.prepares = prepares

    def __getitem__(self, position: int) -> Sample | Failure:
        try:
            begin = time.perf_counter()
            data = self.images.reader.read(position)
            read = time.perf_counter()
            picture = self.images.decode(data)
            decoded = time.perf_counter()
            inputs = tuple(prepare(picture.pixels, position) for prepare in self.prepares)
            prepared = time.perf_counter()
        except ResnextError as error:
            text, name = str(error), self.images.ids[position]
            return Failure(position=position, reason=text if name in text else f"{name}: {text}")
        seconds = Seconds(
            reading=read - begin, decoding=decoded - read, preparing=prepared - decoded
        )
        return Sample(position, inputs, form_of(picture, self.images.ids[position]), seconds)


def form_of(picture: Picture, name: str) -> str | None:
    """Say what is not ordinary about a picture: its channels, or a name of another format."""
    suffix = PurePath(name).suffix.lower()
    others = (kind for kind in SUFFIXES if kind != picture.format)
    misnamed = any(suffix in SUFFIXES[kind] for kind in others)
    parts = [picture.form.value] if picture.form is not PictureForm.RGB else []
    parts += [f"{picture.format} named {suffix}"] if misnamed else []
    return ", ".join(parts) or None


class Reading(Iterator[Batch]):
    """Batches in the order asked for; the processes that read them are at it from the start.

    To be closed, whatever happens: processes that nobody closed would be waited for, once an error
    has ended the program, and they ignore its signals.
    """

    def __init__(self, loader: "DataLoader[Sample | Failure]") -> None:
        self._found: Iterator[Batch] = iter(loader)

    def __next__(self) -> Batch:
        """Return the next batch, once it is there.

        Raises:
            DataError: a process that reads was killed.
        """
        try:
            return next(self._found)
        except (ConnectionError, EOFError) as error:  # from here: elsewhere a terminal may be gone
            raise _killed() from error

    def close(self) -> None:
        """End the processes now, and not once the traceback of an error of theirs is gone."""
        getattr(self._found, "_shutdown_workers", lambda: None)()


def read_batches(
    images: ImageSet,
    batches: Sequence[list[int]],
    prepares: Sequence[Prepare],
    *,
    workers: int,
    pinned: bool = False,
    handed_back: bool = False,
) -> Reading:
    """Begin to read batches of images, each image once.

    Args:
        images: where they come from.
        batches: for each batch the positions of its images, one or more.
        prepares: applied one by one to each decoded image.
        workers: processes that read ahead, no more than there are batches; 0 reads in this one.
        pinned: in memory that a GPU can read by itself while other work goes on.
        handed_back: whoever takes a batch calls its `hand_back` once nobody looks at its inputs
            any more; a pinned one was handed back before.

    Raises:
        DataError: not enough memory; see `memory_explained`.
    """
    workers = min(workers, len(batches))
    kept = KEPT if pinned or handed_back else 0
    pools = tuple(BufferPool(kept) for _ in prepares if workers)
    with warnings.catch_warnings():
        # More workers than processors is a choice, not worth two lines on stderr.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader: DataLoader[Sample | Failure] = DataLoader(
            _Images(images, prepares),
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=Collation(pools),
            pin_memory=pinned,
            worker_init_fn=_begin_reading,
        )
        release_freed_memory()
        return Reading(loader)


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn what PyTorch raises for want of memory, here or in a worker, into a `DataError`.

    The loader raises the death of a worker from a signal handler, so at whatever line the main
    process has reached: this belongs around all that is done while batches are read.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        killed = text.startswith(DEAD_WORKER)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or NO_MEMORY in text:
            raise DataError("a batch does not fit in memory; use a smaller --batch-size") from error
        if NO_FILES in text:
            raise DataError(
                "the batches that are read ahead take more files than this process may open "
                "(ulimit -n); use fewer --workers, or raise the limit"
            ) from error
        if NO_SHARED_MEMORY in text and not killed:
            raise DataError(
                "the batches that are read ahead do not fit in shared memory (/dev/shm); use a "
                "smaller --batch-size or --workers, or give a container more of it (docker run "
                "--shm-size)"
            ) from error
        if not killed:
            raise
        raise _killed() from error


def _killed() -> DataError:
    # The loader's handler would raise again as each of the other workers ends.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return DataError(
        "a process that reads images was killed, probably for want of memory or of shared memory "
        "(/dev/shm); use a smaller --batch-size, or --workers 0"
    )


def _begin_reading(worker: int) -> None:  # noqa: ARG001 - the loader passes it
    """Set up a process that reads.

    Ctrl-C, and SIGTERM to a whole group, are left to the main process, which ends the workers.
    Errors of images are values. What is left for a traceback is the thread that hands tensors over,
    to a main process that is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.excepthook = lambda *_: None
    keep_some_freed_memory()
