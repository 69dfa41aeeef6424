"""Shared memory in which batches travel from the processes that read, used again and again."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

# Bytes in front of the data, of which the first says whether the buffer is taken: a line of the
# processor's cache, so that what follows lies well for numbers of any kind.
FRONT: Final = 64

# One more than are on their way at once: the loader asks each process for two batches ahead, and a
# third may be in the hands of whoever asked.
KEPT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory that other processes can read.

    Attributes:
        data: (bytes,) uint8.
        taken: (1,) uint8 in the same memory: 1 until whoever reads the data is done with it.
    """

    data: Tensor
    taken: Tensor


class BufferPool:
    """The buffers of a process that reads.

    New memory costs several times what copying into it does, because the system allots and clears
    each page. So whoever has read a buffer hands it back: by a byte in it, which takes no message.

    Args:
        kept: the last so many buffers are watched; one that is not handed back by then is left to
            whoever has it. 0 where none is handed back.
    """

    def __init__(self, kept: int) -> None:
        self._kept: deque[Buffer] = deque(maxlen=kept)

    def take(self, size: int) -> Buffer:
        """Return room for so many bytes, which holds anything, and which nobody else uses.

        Raises:
            RuntimeError: PyTorch's, for want of shared memory.
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
