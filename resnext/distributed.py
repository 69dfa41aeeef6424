"""The processes of one job, started by PyTorch's own launcher (`torchrun`), or a single one.

They speak over gloo, on the CPU, whatever device their networks live on: what they tell each other
is small. Only the gradients of a training go from GPU to GPU. torch is imported where there are
several: a command with a mistyped path must not wait for it.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from resnext.errors import JobError, ResnextError
from resnext.refusal import after_the_first

if TYPE_CHECKING:
    import torch

# How long the others are waited for. Less than the 30 minutes that PyTorch waits by default.
PATIENCE: Final = timedelta(minutes=10)
# The same while one of them may be downloading a data set. One that dies is noticed at once.
LONG_PATIENCE: Final = timedelta(days=1)

# The libraries that processes speak over name themselves when they lose each other.
LOST: Final = re.compile("gloo|nccl", re.IGNORECASE)
NUMBER: Final = re.compile(r"\d+", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The place of this process among those of its job.

    Attributes:
        rank: 0 <= rank < size; 0 speaks for all.
        size: processes of the job.
        local_rank: rank among the processes of this machine, which chooses the device.
        local_size: processes of the job on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Tell whether this process speaks for all."""
        return self.rank == 0

    def device_name(self, asked: str | None) -> str | None:
        """Return the name of this process's device, each its own where the machine has GPUs.

        Args:
            asked: by the user; None stands for the best there is.
        """
        if self.local_size == 1 or asked not in (None, "cuda"):
            return asked
        import torch

        return f"cuda:{self.local_rank}" if torch.cuda.is_available() else asked

    def agree(self, value: Any, what: str) -> None:
        """Check that all processes have the same value.

        Args:
            value: whatever JSON can hold.
            what: names it in the message.

        Raises:
            JobError: one has another; raised on the process that leads.
        """
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
        found = self.gather(digest)
        other = [rank for rank, each in enumerate(found or ()) if each != digest]
        if other:
            raise JobError(
                f"rank {other[0]} has other {what} than rank 0; start all with the same "
                "arguments, over the same files"
            )

    def gather(self, value: Any) -> list[Any] | None:
        """Return the values of all ranks in their order on rank 0, None on the others.

        Args:
            value: whatever JSON can hold.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return [value]
        import torch
        from torch import distributed as dist

        payload = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        with _explained():
            lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
            dist.all_gather(lengths, torch.tensor([len(payload)]))
            longest = max(int(length) for length in lengths)
            padded = torch.zeros(longest, dtype=torch.uint8)
            padded[: len(payload)] = payload
            room = [torch.empty_like(padded) for _ in range(self.size)] if self.leads else None
            dist.gather(padded, room)
        if room is None:
            return None
        pairs = zip(room, lengths, strict=True)
        return [json.loads(part[: int(length)].numpy().tobytes()) for part, length in pairs]

    def tell(self, value: T) -> T:
        """Return rank 0's value on every rank.

        Args:
            value: whatever JSON can hold; that of the other ranks does not matter.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return value
        import torch
        from torch import distributed as dist

        text = json.dumps(value).encode() if self.leads else b""
        with _explained():
            length = torch.tensor([len(text)])
            dist.broadcast(length, src=0)
            told = torch.zeros(int(length), dtype=torch.uint8)
            if self.leads:
                told[:] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
            dist.broadcast(told, src=0)
        found: T = json.loads(told.numpy().tobytes())
        return found

    def any(self, *, flag: bool) -> bool:
        """Tell, on every rank, whether the flag of any rank is set; all wait for each other.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return flag
        import torch
        from torch import distributed as dist

        with _explained():
            flags = torch.tensor([int(flag)])
            dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def long_wait(self) -> Callable[[], None]:
        """Return what waits until all processes call it, for a day if need be.

        It has connections of its own, which are made here: all processes ask for it at one time,
        and do afterwards what may take one of them much longer than the others.

        Raises:
            JobError: another process has ended; raised by what is returned too.
        """
        if self.size == 1:
            return lambda: None
        import torch
        from torch import distributed as dist

        with _explained():
            group = dist.new_group(backend="gloo", timeout=LONG_PATIENCE)

        def wait() -> None:
            with _explained():
                dist.all_reduce(torch.zeros(1), group=group)

        return wait

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of the numbers of all ranks, in float64, on every rank.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return list(numbers)
        import torch
        from torch import distributed as dist

        with _explained():
            sums = torch.tensor(numbers, dtype=torch.float64)
            dist.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found

    def share(self, tensors: Iterable["torch.Tensor"]) -> None:
        """Overwrite tensors on every rank with those of rank 0.

        Args:
            tensors: on the CPU, as many and of the same shapes and types on every rank.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return
        from torch import distributed as dist

        with _explained():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


@contextmanager
def join(*, learns: bool = False) -> Iterator[Job]:
    """Join the job that the environment describes, until the block ends.

    Without `torchrun`'s variables this is a job of one, and nothing is initialised.

    Args:
        learns: the processes will exchange gradients too, over NCCL where they have GPUs.

    Raises:
        JobError: the environment is incomplete, or the other processes cannot be reached.
    """
    if "RANK" not in os.environ or os.environ.get("WORLD_SIZE", "1") == "1":
        yield Job()
        return
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR"):
        value = os.environ.get(name, "")
        if not value or (name != "MASTER_ADDR" and not NUMBER.fullmatch(value)):
            raise JobError(
                f"{name} of a job of several processes expected in the environment, found "
                f"{value!r}; start it with torchrun, or unset RANK"
            )
    import torch
    from torch import distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    with _explained():
        fast = learns and torch.cuda.is_available()
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        # Where torchrun starts processes again, its store still has the addresses of the dead.
        store = PrefixStore(f"start {restarts()}", store)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if fast else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
    try:
        yield Job(
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
            local_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    except JobError:
        raise
    except (ResnextError, OSError):
        after_the_first()
        raise
    finally:
        dist.destroy_process_group()


def leave(job: Job, code: int = 0) -> None:
    """End this process here if its job has several, once the job is done; else return.

    A thread of gloo's may still be giving back the tensors of the last broadcast, for which it asks
    for Python's lock. Where the interpreter is being taken down meanwhile, that thread is ended
    instead, and the whole process with SIGABRT: torchrun then takes a finished job for a failed
    one, as was seen now and then with two processes.

    Args:
        job: that was joined, and has ended.
        code: of the exit.
    """
    if job.size > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code)


def restarts() -> int:
    """Count how often `torchrun` has started this job again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def losses_explained() -> Iterator[None]:
    """Turn what PyTorch raises over a lost process, wherever it waits for it, into a `JobError`."""
    try:
        yield
    except RuntimeError as error:
        from torch import distributed as dist

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
