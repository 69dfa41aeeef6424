"""How busy a GPU is, looked at by nvidia-smi beside whatever runs there."""

import os
import pty
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import mean, median

PERIOD = 100  # milliseconds between two looks
FIELDS = "utilization.gpu,memory.used"  # %, MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one moment.

    Attributes:
        moment: seconds of `time.monotonic`, which all processes of a machine share.
        busy: percent of the time just before in which something was computed.
        mib: memory in use, by whomever.
    """

    moment: float
    busy: float
    mib: float


class Load:
    """What was seen so far of a GPU."""

    def __init__(self) -> None:
        self.looks: list[Look] = []

    def between(self, begin: float, end: float) -> tuple[float, float] | None:
        """Return the mean of percent busy and the most MiB in use; None where nobody looked."""
        found = [look for look in self.looks if begin <= look.moment <= end]
        if not found:
            return None
        return mean(look.busy for look in found), max(look.mib for look in found)

    def read(self, line: str) -> None:
        """Take in a line of nvidia-smi; one that is no two numbers says nothing."""
        with suppress(ValueError):
            busy, mib = map(float, line.split(","))
            self.looks.append(Look(moment=time.monotonic(), busy=busy, mib=mib))


def load_facts(seen: Sequence[tuple[float, float] | None]) -> dict[str, float | None]:
    """Return the median of percent busy and the most MiB of what `Load.between` gave; or None."""
    found = [each for each in seen if each is not None]
    return {
        "gpu_busy_percent": round(median(busy for busy, _ in found), 1) if found else None,
        "gpu_mib": max(mib for _, mib in found) if found else None,
    }


def nvidia_smi(device: str) -> list[str] | None:
    """Return the command that prints `FIELDS` of a GPU every `PERIOD`; None where there is none."""
    kind, _, index = device.partition(":")
    if kind != "cuda" or shutil.which("nvidia-smi") is None:
        return None
    # As CUDA counts, and `machine` has it count like nvidia-smi; numbers or UUIDs.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    gpu = visible[int(index or 0)] if visible != [""] else index or "0"
    query = [f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits", f"--loop-ms={PERIOD}"]
    return ["nvidia-smi", f"--id={gpu}", *query]


@contextmanager
def watched(command: Sequence[str] | None) -> Iterator[Load]:
    """Look at a GPU, in a thread, until the block ends.

    Args:
        command: prints a line at each look; None does not look.
    """
    load = Load()
    if command is None:
        yield load
        return
    # To a terminal of its own it writes line by line, not when some thousand bytes are together.
    reads, writes = pty.openpty()
    process = subprocess.Popen(command, stdout=writes, stdin=subprocess.DEVNULL)
    os.close(writes)
    thread = threading.Thread(target=_listen, args=(reads, load), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        process.terminate()
        process.wait()
        thread.join()


def _listen(reads: int, load: Load) -> None:
    # A terminal whose other side was closed is an error to read, and the end of the lines.
    with suppress(OSError), os.fdopen(reads, errors="replace") as lines:
        for line in lines:
            load.read(line)
