"""Networks that torch.compile makes faster, and what it says when it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import torch
from torch import Tensor, nn

from resnext.errors import DeviceError

# Networks times sizes of batches that one process compiles.
MOST: Final = 200


class CompiledNetwork:
    """A network that is compiled with its first batch, for each size of batches anew."""

    def __init__(self, network: nn.Module) -> None:
        """Take a network in evaluation mode."""
        self._network = cast("nn.Module", torch.compile(network))

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the logits (N, classes) of pictures (N, 3, H, W).

        Raises:
            DeviceError: torch.compile lacks something here.
        """
        # All networks are code of one class, of which the compiler would by default make no more
        # than eight kinds, and run the others as they stand.
        most = torch._dynamo.config.patch(recompile_limit=MOST, fail_on_recompile_limit_hit=True)
        with compilation_explained(), most:
            answers: Tensor = self._network(pictures)
        return answers


@contextmanager
def compilation_explained() -> Iterator[None]:
    """Turn what `torch.compile` raises, of types that are its own, into a `DeviceError`."""
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
