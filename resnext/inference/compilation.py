"""Networks compiled by torch.compile, and batches padded to one size for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, cast

import torch
from torch import Tensor, nn

from resnext.errors import DeviceError

# At most so many graphs (networks times batch sizes) are compiled by one process.
MOST: Final = 200


class CompiledNetwork:
    """A network that is compiled at its first batch, and again for each other batch size."""

    def __init__(self, network: nn.Module) -> None:
        """Take a network in evaluation mode."""
        self._network = cast("nn.Module", torch.compile(network))

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the logits (N, classes) of pictures (N, 3, H, W).

        Raises:
            DeviceError: torch.compile lacks something that it needs on this machine.
        """
        # All networks share the code of one class. By default the compiler makes at most eight
        # versions of it, and runs further networks uncompiled.
        most = torch._dynamo.config.patch(recompile_limit=MOST, fail_on_recompile_limit_hit=True)
        with compilation_explained(), most:
            answers: Tensor = self._network(pictures)
        return answers


class SameSize:
    """A network whose batches are padded to the size of the largest so far.

    The last batch of a measurement is smaller. torch.compile would compile again for its size, and
    cuDNN search again for algorithms, which takes longer than computing some extra pictures.
    """

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        """Take what computes logits (N, classes) of pictures (N, 3, H, W)."""
        self._network = network
        self._size = 0

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the logits of pictures with the channels last in memory."""
        count = len(pictures)
        self._size = max(self._size, count)
        if count < self._size:
            pictures = torch.cat([pictures, pictures[:1].expand(self._size - count, -1, -1, -1)])
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return self._network(pictures)[:count]


@contextmanager
def compilation_explained() -> Iterator[None]:
    """Turn the error types of `torch.compile` itself into a `DeviceError`."""
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = str(error).strip().splitlines()[0]
        raise DeviceError(
            f"--compile: torch.compile cannot do it here ({reason}); install what it misses, or "
            "leave out --compile"
        ) from error
