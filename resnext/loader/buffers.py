"""Shared memory for the batches of worker processes, which is reused."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

# Bytes in front of the data, of which the first is the `taken` flag: the size of a cache line, so
# that the data is aligned for every type of number.
FRONT: Final = 64

# Buffers of a worker process: the loader requests two batches ahead of each worker, a third may be
# in use by the main process, and one is spare.
KEPT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory that processes share.

    Attributes:
        data: (bytes,) uint8.
        taken: (1,) uint8 in the same memory: 1 until the reader of the data hands it back.
    """

    data: Tensor
    taken: Tensor


class BufferPool:
    """The buffers of a worker process.

    New memory costs several times as much as copying into it, because the system allocates and
    clears each page. So the process that has read a buffer hands it back by clearing a flag in it,
    which takes no message.

    Args:
        kept: number of buffers, the newest, that are reused once they are handed back; 0 if no
        buffer
            is ever handed back.
    """

    def __init__(self, kept: int) -> None:
        self._kept: deque[Buffer] = deque(maxlen=kept)

    def take(self, size: int) -> Buffer:
        """Return a buffer of `size` bytes, uninitialised, that nobody else uses.

        Raises:
            RuntimeError: from PyTorch, if there is not enough shared memory.
        """
        free = [each for each in self._kept if not each.taken.item()]
        fitting = [each for each in free if len(each.data) >= size]
        if fitting:
            found = min(fitting, key=lambda each: len(each.data))
            found.taken.fill_(1)
        else:
            if free:
                self._kept.remove(free[0])
            found = _allocate(size)
            self._kept.append(found)
        return Buffer(found.data[:size], found.taken)


def _allocate(size: int) -> Buffer:
    # As PyTorch's own `default_collate` does.
    storage = torch.UntypedStorage._new_shared(FRONT + size)  # type: ignore[no-untyped-call]
    whole = torch.empty(0, dtype=torch.uint8).set_(storage)
    whole[0] = 1
    return Buffer(whole[FRONT:], whole[:1])
