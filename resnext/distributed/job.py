"""The processes of one job, started by PyTorch's own launcher (`torchrun`), or a single one.

They communicate over gloo, on the CPU, whatever the device of their networks: their messages are
small. Only the gradients of a training go from GPU to GPU. torch is imported only for several
processes: a command with a mistyped path must not wait for it.
"""

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from resnext.errors import JobError, ResnextError
from resnext.files import remove_unfinished

if TYPE_CHECKING:
    import torch

NUMBER: Final = re.compile(r"\d+", re.ASCII)
# Seconds: the processes of a job start within less of each other, and torchrun looks every 0.1.
PAUSE: Final = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The place of this process among those of its job.

    Attributes:
        rank: 0 <= rank < size; rank 0 leads: it alone prints and writes.
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
        """Tell whether this process is the one that prints and writes for all."""
        return self.rank == 0

    def device_name(self, asked: str | None) -> str | None:
        """Return the name of this process's device, each its own where the machine has GPUs.

        Args:
            asked: the user's choice; None stands for the best device.
        """
        if self.local_size == 1 or asked not in (None, "cuda"):
            return asked
        import torch

        return f"cuda:{self.local_rank}" if torch.cuda.is_available() else asked

    def agree(self, value: Any, what: str) -> None:
        """Check that all processes hold the same value.

        Args:
            value: anything that JSON can hold.
            what: names the value in the message.

        Raises:
            JobError: a process holds another value; raised on rank 0.
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
            value: anything that pickle takes.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return [value]
        from resnext.distributed import collectives

        return collectives.gather(value)

    def tell(self, value: T) -> T:
        """Return rank 0's value on every rank.

        Args:
            value: anything that pickle takes; the other ranks' values are ignored.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return value
        from resnext.distributed import collectives

        found: T = collectives.tell(value)
        return found

    def any(self, *, flag: bool) -> bool:
        """Tell, on every rank, whether the flag of any rank is set; every rank waits for all.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return flag
        from resnext.distributed import collectives

        return collectives.any_of(flag=flag)

    def long_wait(self) -> Callable[[], None]:
        """Return a function that waits until all processes have called it, up to a day.

        It uses connections of its own, made here: all processes have to call this at the same time,
        before work that may take one of them much longer than the others.

        Raises:
            JobError: another process has ended; the returned function raises it too.
        """
        if self.size == 1:
            return lambda: None
        from resnext.distributed import collectives

        return collectives.long_wait()

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of the numbers of all ranks, in float64, on every rank.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return list(numbers)
        from resnext.distributed import collectives

        return collectives.sum_of(numbers)

    def share(self, tensors: Iterable["torch.Tensor"]) -> None:
        """Overwrite tensors on every rank with those of rank 0.

        Args:
            tensors: on the CPU, as many and of the same shapes and types on every rank.

        Raises:
            JobError: another process has ended.
        """
        if self.size == 1:
            return
        from resnext.distributed import collectives

        collectives.share(tensors)


@contextmanager
def join(*, learns: bool = False) -> Iterator[Job]:
    """Join the job that the environment describes, until the block ends.

    Without `torchrun`'s variables it is a job of one process, and nothing is initialised.

    Args:
        learns: the processes also exchange gradients, over NCCL where they have GPUs.

    Raises:
        JobError: the environment is incomplete, or the other processes cannot be reached.
    """
    if not _has_others():
        yield Job()
        return
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR"):
        value = os.environ.get(name, "")
        if not value or (name != "MASTER_ADDR" and not NUMBER.fullmatch(value)):
            raise JobError(
                f"{name} of a job of several processes expected in the environment, found "
                f"{value!r}; start it with torchrun, or unset RANK"
            )
    from resnext.distributed import collectives

    with collectives.connected(learns=learns, attempt=restarts()) as (rank, size):
        try:
            yield Job(
                rank=rank,
                size=size,
                local_rank=int(os.environ.get("LOCAL_RANK", "0")),
                local_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
            )
        except JobError:
            raise
        except (ResnextError, OSError):
            wait_for_first_process()
            raise


def leave(job: Job, code: int = 0) -> None:
    """End this process at once if it finished a job of several processes; otherwise return.

    A thread of gloo may still be releasing the tensors of the last broadcast, for which it needs
    Python's lock. If the interpreter shuts down meanwhile, that thread is killed, and the process
    ends with SIGABRT: torchrun then reports a finished job as failed. This was seen occasionally
    with two processes.

    Args:
        job: that was joined, and has ended.
        code: the exit code.
    """
    if job.size > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # its reader has closed it
                stream.flush()
        remove_unfinished()
        os._exit(code)


def leads_all() -> bool:
    """Tell, before the job is joined too, whether this is the process that writes for all."""
    return os.environ.get("RANK", "0") == "0" or not _has_others()


def _has_others() -> bool:
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def is_under_torchrun() -> bool:
    """Tell whether `torchrun` started this process, and will turn its exit code into 0 or 1."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def restarts() -> int:
    """Return how often `torchrun` has restarted this job."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def wait_for_first_process() -> None:
    """Give this machine's first process the time to say what is wrong, and to end.

    What is wrong for all processes of a job shall be said once: `torchrun` ends the others as soon
    as one has ended. What one process alone found is said a little later. The caller must still
    hold its connections: otherwise the first process would see them lost and end over that instead.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(PAUSE)
