"""Collective operations: messages between the processes of a job, which all take part.

Any failure is a `JobError`: another process has ended, or cannot be reached.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import torch
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from resnext.errors import JobError

# Timeout of an operation of a training; PyTorch's default is 30 minutes.
PATIENCE: Final = timedelta(minutes=10)
# Timeout where a process may be downloading pictures, as in any batch of a measurement or a
# prediction. One that ends is noticed at once.
LONG_PATIENCE: Final = timedelta(days=1)

# An error over a lost connection names the library that noticed it.
LOST: Final = re.compile("gloo|nccl", re.IGNORECASE)


@contextmanager
def connected(*, learns: bool, attempt: int) -> Iterator[tuple[int, int]]:
    """Connect to the other processes; yield the rank of this process and the number of all.

    Args:
        learns: the processes also exchange gradients, over NCCL where they have GPUs.
        attempt: how often the job was restarted.
    """
    with _explained():
        fast = learns and torch.cuda.is_available()
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        # After a restart torchrun's store still holds the addresses of the earlier processes.
        store = PrefixStore(f"start {attempt}", store)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if fast else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=PATIENCE if learns else LONG_PATIENCE,
        )
    try:
        yield dist.get_rank(), dist.get_world_size()
    finally:
        dist.destroy_process_group()


def gather(value: Any) -> list[Any] | None:
    """Return the values of all ranks in their order on rank 0, None on the others."""
    room = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    with _explained():
        dist.gather_object(value, room)
    return room


def tell(value: Any) -> Any:
    """Return rank 0's value on every rank."""
    told = [value]
    with _explained():
        dist.broadcast_object_list(told)
    return told[0]


def any_of(*, flag: bool) -> bool:
    """Tell, on every rank, whether the flag of any rank is set."""
    with _explained():
        flags = torch.tensor([int(flag)])
        dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags)


def long_wait() -> Callable[[], None]:
    """Return a function that waits until all processes have called it; see `Job.long_wait`."""
    with _explained():
        group = dist.new_group(backend="gloo", timeout=LONG_PATIENCE)

    def wait() -> None:
        with _explained():
            dist.all_reduce(torch.zeros(1), group=group)

    return wait


def sum_of(numbers: Sequence[float]) -> list[float]:
    """Return the sums of the numbers of all ranks, in float64, on every rank."""
    with _explained():
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums)
    found: list[float] = sums.tolist()
    return found


def share(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite tensors on every rank with those of rank 0."""
    with _explained():
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


@contextmanager
def losses_explained() -> Iterator[None]:
    """Turn the errors that PyTorch raises for a lost process into a `JobError`."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or LOST.search(str(error)):
            raise _lost(error) from error
        raise


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise _lost(error) from error


def _lost(error: Exception) -> JobError:
    rank = os.environ.get("RANK", "?")
    return JobError(
        f"rank {rank}: another process of this job has ended or cannot be reached "
        f"({str(error).strip().splitlines()[0][:120]}); its own message says why"
    )
