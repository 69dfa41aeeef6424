"""Read batches of network input from an image set, with worker processes."""

import multiprocessing
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
from torch.utils.data import DataLoader, Dataset, get_worker_info

from resnext.errors import DataError, ResnextError
from resnext.images.image_set import PictureSet
from resnext.images.names import brief
from resnext.loader.batch import Batch, Collation, Failure, Sample, Seconds
from resnext.loader.buffers import KEPT, BufferPool
from resnext.loader.library_warnings import LibraryWarnings, Listener, Printed, last_words
from resnext.machine import keep_some_freed_memory, release_freed_memory
from resnext.pixels.decoding import Picture, PictureForm
from resnext.pixels.transforms import RawCrop

# A preparation: pixels (H, W, 3) uint8 and the image's position -> network input float32, or a raw
# crop that a device scales; picklable. The position is for what depends on the image, such as
# random numbers.
Prepare = Callable[[NDArray[np.uint8], int], NDArray[np.float32] | RawCrop]

# Parts of PyTorch's messages, in a RuntimeError: a tensor does not fit in memory, or in shared
# memory, there are too many shared tensors, a worker was killed.
NO_MEMORY: Final = "DefaultCPUAllocator"
NO_SHARED_MEMORY: Final = ("shared memory", "/torch_")
NO_FILES: Final = "Too many open files"
DEAD_WORKER: Final = "DataLoader worker"

# Format -> suffixes of its files.
SUFFIXES: Final = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}


class _Images(Dataset[Sample | Failure]):
    """Images by position, read, decoded and prepared.

    Errors are returned, not raised: PyTorch would change an error that a worker raises, and one bad
    image would lose the whole batch.
    """

    def __init__(
        self, images: PictureSet, prepares: Sequence[Prepare], listeners: Sequence[Listener]
    ) -> None:
        self.images = images
        self.prepares = prepares
        self.listeners = listeners  # one for each process that reads

    def __getitem__(self, position: int) -> Sample | Failure:
        worker = get_worker_info()
        printed = Printed()
        try:
            begin = time.perf_counter()
            data = self.images.reader.read(position)
            read = time.perf_counter()
            with self.listeners[worker.id if worker else 0].listening() as printed:
                picture = self.images.decode(data)
            decoded = time.perf_counter()
            inputs = tuple(prepare(picture.pixels, position) for prepare in self.prepares)
            prepared = time.perf_counter()
        except ResnextError as error:
            text, name = str(error), self.images.ids[position]
            reason = text if name in text else f"{brief(name)}: {text}"
            return Failure(position=position, reason=reason, printed=printed)
        seconds = Seconds(
            reading=read - begin, decoding=decoded - read, preparing=prepared - decoded
        )
        form = form_of(picture, self.images.ids[position])
        return Sample(position, inputs, form, seconds, printed)


def form_of(picture: Picture, name: str) -> str | None:
    """Return what is unusual about a picture: its channels, or a suffix of another format."""
    suffix = PurePath(name).suffix.lower()
    others = (kind for kind in SUFFIXES if kind != picture.format)
    misnamed = any(suffix in SUFFIXES[kind] for kind in others)
    parts = [picture.form.value] if picture.form is not PictureForm.RGB else []
    parts += [f"{picture.format} named {suffix}"] if misnamed else []
    return ", ".join(parts) or None


class Reading(Iterator[Batch]):
    """Batches in the order that was asked for; worker processes start to read at once.

    It must be closed, also after an error: at its end the program would wait for workers that are
    still running, and these ignore the signals that end the program.
    """

    def __init__(
        self,
        loader: "DataLoader[Sample | Failure]",
        images: PictureSet,
        listeners: Sequence[Listener],
        heard: LibraryWarnings,
    ) -> None:
        self._found: Iterator[Batch] = iter(loader)
        self._images = images
        self._listeners = listeners
        self._heard = heard

    def __next__(self) -> Batch:
        """Wait for the next batch and return it.

        Raises:
            DataError: a worker process was killed.
        """
        try:
            batch = next(self._found)
        except (ConnectionError, EOFError) as error:  # only here do they mean a worker
            raise _killed() from error
        for position, printed in batch.printed.items():
            self._heard.add(brief(self._images.ids[position]), printed)
        return batch

    def close(self) -> None:
        """End the worker processes now, not when the garbage collector gets to them.

        What one that crashed has printed goes to stderr.
        """
        workers = getattr(self._found, "_workers", ())
        crashed = [number for number, each in enumerate(workers) if each.exitcode]
        getattr(self._found, "_shutdown_workers", lambda: None)()
        for number in crashed:
            last_words(self._listeners[number])
        for listener in self._listeners:
            listener.close()


def read_batches(
    images: PictureSet,
    batches: Sequence[list[int]],
    prepares: Sequence[Prepare],
    *,
    workers: int,
    pinned: bool = False,
    handed_back: bool = False,
    heard: LibraryWarnings | None = None,
) -> Reading:
    """Start to read batches of images, each image once.

    Args:
        images: the image set.
        batches: for each batch the positions of its images, one or more.
        prepares: the preparations, each applied to every decoded image.
        workers: number of worker processes, at most one per batch; 0 to read in this process.
        pinned: whether batches are copied to pinned memory, from which a GPU copies by itself.
        handed_back: whether the caller calls `hand_back` of each batch when it no longer needs the
            inputs; pinned batches are handed back when they are copied.
        heard: takes what libraries print about the images.

    Raises:
        DataError: not enough memory, or no shared memory; see `memory_explained`.
    """
    workers = min(workers, len(batches))
    if workers:
        _check_shared_memory(workers)
    kept = KEPT if pinned or handed_back else 0
    pools = tuple(BufferPool(kept) for _ in prepares if workers)
    listeners = [Listener() for _ in range(max(workers, 1))]
    with warnings.catch_warnings():
        # More workers than processors is a choice, not worth two lines on stderr.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader: DataLoader[Sample | Failure] = DataLoader(
            _Images(images, prepares, listeners),
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=Collation(pools),
            pin_memory=pinned,
            worker_init_fn=_begin_reading,
        )
        release_freed_memory()
        return Reading(loader, images, listeners, heard or LibraryWarnings())


@contextmanager
def memory_explained() -> Iterator[None]:
    """Raise PyTorch's errors for lack of memory, here or in a worker, as a `DataError`.

    PyTorch's loader reports the death of a worker from a signal handler, at any line that the main
    process has reached. So all work that is done while batches are read belongs in the block.
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
        if any(each in text for each in NO_SHARED_MEMORY) and not killed:
            raise _no_shared_memory() from error
        if not killed:
            raise
        raise _killed() from error


def _check_shared_memory(workers: int) -> None:
    """Try what the loader begins with: where that fails, PyTorch prints a traceback of its own.

    Raises:
        DataError: /dev/shm is full or read-only.
    """
    try:
        # Of its queues, three for each process and for the batches, and of an event.
        [multiprocessing.Lock() for _ in range(3 * workers + 8)]
    except OSError as error:
        raise _no_shared_memory(error.strerror) from error


def _no_shared_memory(reason: str | None = None) -> DataError:
    return DataError(
        "the batches that are read ahead do not fit in shared memory (/dev/shm"
        f"{f': {reason}' if reason else ''}); use a smaller --batch-size or --workers, or give a "
        "container more of it (docker run --shm-size); --workers 0 takes none"
    )


def _killed() -> DataError:
    # PyTorch's signal handler would raise another error for each of the other workers that ends.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return DataError(
        "a process that reads images was killed, probably for want of memory or of shared memory "
        "(/dev/shm); use a smaller --batch-size, or --workers 0"
    )


def _begin_reading(worker: int) -> None:  # noqa: ARG001 - the loader passes it
    """Set up a worker process.

    Ctrl-C, and SIGTERM sent to the process group, are left to the main process, which ends the
    workers. Errors of images are returned, so a traceback could only come from the thread that
    sends tensors to a main process that has ended; it is not printed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.excepthook = lambda *_: None
    keep_some_freed_memory()
