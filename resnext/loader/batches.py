"""Read batches of network input from an image set, with processes that read ahead."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from resnext.errors import DataError
from resnext.images.file_set import ReadOnce
from resnext.images.image_set import PictureSet
from resnext.images.names import brief
from resnext.loader.batch import Batch
from resnext.loader.buffers import KEPT, memory_error
from resnext.loader.library_warnings import LibraryWarnings, Listener, last_words
from resnext.loader.pictures import Pictures, Prepare
from resnext.loader.reader import AHEAD, Reader
from resnext.machine import release_freed_memory

# Part of PyTorch's message, in a RuntimeError: a tensor does not fit in memory.
NO_MEMORY: Final = "DefaultCPUAllocator"


class Reading(Iterator[Batch]):
    """Batches in the order that was asked for; the processes start to read at once.

    It must be closed, also after an error: at its end the program would wait for processes that
    ignore the signals which end the program.

    Args:
        images: the image set.
        batches: for each batch the positions of its images.
        prepares: the preparations, each applied to every decoded image.
        workers: number of processes; 0 to read in this one.
        pinned: whether batches are copied to pinned memory.
        kept: buffers that each process reuses.
        heard: takes what libraries print about the images.
    """

    def __init__(
        self,
        images: PictureSet,
        batches: Sequence[list[int]],
        prepares: Sequence[Prepare],
        *,
        workers: int,
        pinned: bool,
        kept: int,
        heard: LibraryWarnings,
    ) -> None:
        """Start the processes.

        Raises:
            DataError: too many files are open, or there are too many processes.
        """
        self.heard = heard
        self._images = images
        self._batches = batches
        self._prepares = tuple(prepares)
        self._next = 0
        self._pins: ThreadPoolExecutor | None = None
        self._pinned = pinned
        self._coming: Future[Batch] | None = None
        self._readers: list[Reader] = []
        if batches:
            self._passed(batches[0])
        self._here = None if workers else Pictures(images, self._prepares, Listener())
        try:
            for number in range(workers):
                pictures = Pictures(images, self._prepares, Listener())
                self._readers.append(Reader(pictures, kept=kept, others=self._readers))
                for wanted in batches[number::workers][:AHEAD]:
                    self._readers[number].ask(wanted)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise memory_error(error) from error
            raise

    def reads(
        self,
        batches: Sequence[list[int]],
        prepares: Sequence[Prepare],
        *,
        workers: int,
        pinned: bool,
    ) -> bool:
        """Tell whether this reads what `read_batches` would read, and nothing was taken of it."""
        others = (len(self._readers), self._pinned, self._prepares, self._batches, self._next)
        return others == (min(workers, len(batches)), pinned, tuple(prepares), batches, 0)

    def __next__(self) -> Batch:
        """Wait for the next batch and return it.

        Raises:
            DataError: a process was killed, or there is not enough memory.
        """
        if self._next == len(self._batches):
            raise StopIteration
        batch = self._pinned_batch() if self._pinned else self._read(self._next)
        self._next += 1
        for position, printed in batch.printed.items():
            self.heard.add(brief(self._images.ids[position]), printed)
        return batch

    def close(self) -> None:
        """End the processes now, not when the garbage collector gets to them.

        What one that crashed has printed goes to stderr.
        """
        printed = [reader.kill() for reader in self._readers]
        if self._pins is not None:
            self._pins.shutdown()
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        if self._here is not None:
            self._here.listener.close()
        for text in printed:
            last_words(text)

    def _read(self, number: int) -> Batch:
        if self._here is not None:
            batch = self._here.batch(self._batches[number])
        else:
            reader = self._readers[number % len(self._readers)]
            batch = reader.answer()
            later = number + AHEAD * len(self._readers)
            if later < len(self._batches):
                reader.ask(self._batches[later])
        if number + 1 < len(self._batches):
            self._passed(self._batches[number + 1])
        return batch

    def _passed(self, coming: list[int]) -> None:
        """Let files be dropped that lie before a batch: those of what is read once are in order."""
        if isinstance(self._images.reader, ReadOnce):
            self._images.reader.passed(min(coming))

    def _pinned_batch(self) -> Batch:
        """Return the next batch, in pinned memory, and let a thread copy the one behind it."""
        if self._pins is None:
            import torch

            self._pins = ThreadPoolExecutor(
                1, initializer=torch.cuda.set_device, initargs=(torch.cuda.current_device(),)
            )
            self._coming = self._pins.submit(self._pin, self._next)
        assert self._coming is not None
        batch = self._coming.result()
        if self._next + 1 < len(self._batches):
            self._coming = self._pins.submit(self._pin, self._next + 1)
        return batch

    def _pin(self, number: int) -> Batch:
        return self._read(number).pin_memory()


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

    Nothing here needs torch before the first batch is taken: processes that read may be started
    while it is still to be imported.

    Args:
        images: the image set.
        batches: for each batch the positions of its images, one or more.
        prepares: the preparations, each applied to every decoded image.
        workers: number of processes, at most one per batch; 0, and Windows, reads in this one.
        pinned: whether batches are copied to pinned memory, from which a GPU copies by itself.
        handed_back: whether the caller calls `hand_back` of each batch when it no longer needs the
            inputs; pinned batches are handed back when they are copied.
        heard: takes what libraries print about the images.

    Raises:
        DataError: too many files are open, or there are too many processes.
    """
    workers = 0 if sys.platform == "win32" else min(workers, len(batches))  # files of memory
    release_freed_memory()
    return Reading(
        images,
        batches,
        prepares,
        workers=workers,
        pinned=pinned,
        kept=KEPT if pinned or handed_back else 0,
        heard=heard or LibraryWarnings(),
    )


@contextmanager
def memory_explained() -> Iterator[None]:
    """Raise the errors for lack of memory, Python's and PyTorch's, as a `DataError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        import torch

        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if short or NO_MEMORY in str(error):
            raise DataError("a batch does not fit in memory; use a smaller --batch-size") from error
        raise
