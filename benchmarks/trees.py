"""A command with all processes that it starts: its time, its memory, its first decision."""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE = 0.01  # seconds between two looks at the ledger
SAMPLE = 0.02  # seconds between two looks at the memory

# Of /proc/PID/smaps_rollup, each page divided by the number of processes that share it. Pages of
# files, mostly PyTorch's libraries, are left out: the system holds them once for everybody.
HELD = ("Pss_Anon:", "Pss_Shmem:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a command took.

    Attributes:
        seconds: wall time from start to exit.
        first: seconds to the first decision on the disk; None where no ledger was watched.
        after: seconds from the last decision on the disk to the exit; 0 likewise.
        peak_bytes: the most memory that its processes held together; 0 where nobody looked.
        output: what it printed on stdout.
    """

    seconds: float
    first: float | None
    after: float
    peak_bytes: int
    output: str


def watch(command: Sequence[str], *, ledger: Path | None = None, memory: bool = False) -> Watched:
    """Run a command to its end.

    Args:
        command: and its arguments.
        ledger: the file in which its decisions appear, which is not there yet.
        memory: look at it, which costs some time.

    Raises:
        RuntimeError: the command failed.
    """
    first, peak, sampled = None, 0, 0.0
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output)
        while process.poll() is None:
            if ledger and first is None and _has_decision(ledger):
                first = time.perf_counter() - start
            if memory and time.perf_counter() - sampled > SAMPLE:
                peak = max(peak, sum(map(_held, _tree(process.pid))))
                sampled = time.perf_counter()
            time.sleep(PAUSE)
        seconds = time.perf_counter() - start
        after = time.time() - ledger.stat().st_mtime if ledger and ledger.exists() else 0.0
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
        output.seek(0)
        text = output.read()
        return Watched(seconds=seconds, first=first, after=after, peak_bytes=peak, output=text)


def _has_decision(ledger: Path) -> bool:
    """Tell whether a ledger has a line behind that which describes the measurement."""
    return ledger.exists() and ledger.read_bytes().count(b"\n") > 1


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it, and those, have started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:  # ended meanwhile
            continue
        for child in found:
            yield from _tree(int(child))


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # ended meanwhile
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(HELD))
