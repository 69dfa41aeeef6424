"""What the coverage-guided fuzz runs share: seeds, counts, and how these are recorded."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import atheris

from benchmarks.runs import write_result
from convert.source.source import Network
from resnext.errors import ResnextError

EVERY = 30  # seconds between two records
LONGEST = 4000  # characters of a message


class Harness:
    """One run of libFuzzer, which ends the process without a word to Python."""

    def __init__(
        self,
        read: Callable[[bytes], Network],
        *,
        words: tuple[str, ...],
        libraries: tuple[str, ...],
    ) -> None:
        """Take what is run.

        Args:
            read: makes a network of an input, or raises an error of the project.
            words: those of the command line that are the script's own.
            libraries: those whose versions are recorded.
        """
        self.read, self.libraries = read, libraries
        self.command = " ".join(["python", *sys.argv])
        self.name: str | None = None
        self.arguments = [word for word in sys.argv if word not in ("--record", *words)]
        self.counts = {"executions": 0, "checkpoints": 0, "refusals": 0}
        self.started = self.recorded = time.monotonic()
        self.memory = memory()

    def try_one(self, data: bytes) -> None:
        """Read one input; whatever is not an error of the project is a finding."""
        self.counts["executions"] += 1
        try:
            network = self.read(data)
        except ResnextError as error:
            self.counts["refusals"] += 1
            if len(str(error)) > LONGEST:
                raise ValueError("a value of the file went whole into a message") from error
        else:
            self.counts["checkpoints"] += 1
            assert network.spec.classes >= 1
        if self.name and time.monotonic() > self.recorded + EVERY:
            self.recorded = time.monotonic()
            self.record(self.name)

    def record(self, name: str) -> None:
        """Write the figures of the run to benchmarks/results/NAME.json."""
        fields = {
            **self.counts,
            "seconds": round(time.monotonic() - self.started),
            "memory_start_mb": round(self.memory / 1e6, 1),
            "memory_now_mb": round(memory() / 1e6, 1),
            "command": self.command,
        }
        write_result(name, fields, self.libraries)

    def run(self, name: str, seeds: Callable[[Path], None]) -> None:
        """Run until libFuzzer ends it.

        Args:
            name: of the result, which `--record` writes every half minute.
            seeds: writes the inputs to start from to a folder, where the command line has none.
        """
        if all(argument.startswith("-") for argument in self.arguments[1:]):
            corpus = Path(tempfile.mkdtemp()) / "corpus"
            corpus.mkdir()
            seeds(corpus)
            self.arguments.append(str(corpus))
        if "--record" in sys.argv:
            self.name = name
            # It imports torch to name the machine: within an input that might look like a hang.
            self.record(name)
            self.memory = memory()
        atheris.Setup(self.arguments, self.try_one)
        atheris.Fuzz()


def memory() -> int:
    """Return the bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
