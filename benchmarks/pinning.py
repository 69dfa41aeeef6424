"""The network alone on all processors, its threads free and pinned to a processor each.

OpenMP pins them (`OMP_PROC_BIND=close`, `OMP_PLACES=cores`), and with them the process: what it
starts later may use one processor only. Each way runs as the machine is, and beside one process
that is always busy.
"""

import json
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.runs import command_line, run, write_result
from benchmarks.waiting import busy

ROUNDS: Final = 5
BATCHES: Final = 2
BATCH_SIZE: Final = 16
WAYS: Final = {"free": (), "pinned": ("OMP_PROC_BIND=close", "OMP_PLACES=cores")}


def main() -> None:
    """Measure, print and write the result."""
    found: dict[str, list[tuple[float, int]]] = {}
    loads = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, "random.safetensors")
        write_random(checkpoint, RESNEXT_50)
        command = [sys.executable, "-m", "benchmarks.pinning", str(checkpoint)]
        for _ in range(ROUNDS):
            loads.append(round(os.getloadavg()[0], 2))
            for company, around in (("alone", nullcontext), ("beside", busy)):
                for way, words in WAYS.items():
                    with around():
                        done = run(["env", "OMP_WAIT_POLICY=PASSIVE", *words, *command])
                    speed, left = done.output.split()
                    found.setdefault(f"{company} {way}", []).append((float(speed), int(left)))
    rows = {}
    for name, row in found.items():
        free = found[f"{name.split()[0]} free"]
        rows[name] = {
            "images_per_second": round(median(speed for speed, _ in row), 1),
            "times_free": round(median(a[0] / b[0] for a, b in zip(row, free, strict=True)), 2),
            "processors_left": row[0][1],
        }
    facts = {"network": RESNEXT_50.name, "rounds": ROUNDS, "load_of_others": loads, "rows": rows}
    write_result("pinning", facts, ("torch", "resnext"))
    print(json.dumps(facts, indent=2))


def measure(checkpoint: Path) -> None:
    """Print the images a second, at best, and how many processors this process may use then."""
    import torch

    from resnext.checkpoint import Checkpoint
    from resnext.inference.arithmetic import Precision
    from resnext.inference.predictor import Predictor
    from resnext.machine import cores, keep_freed_memory

    keep_freed_memory()
    network = Checkpoint.load(checkpoint).build()
    predictor = Predictor(network, device=torch.device("cpu"), precision=Precision.FP32)
    pictures = torch.randn(BATCH_SIZE, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(1 + BATCHES):
        begin = time.perf_counter()
        predictor.logits(pictures)
        times.append(time.perf_counter() - begin)
    print(BATCH_SIZE / min(times), cores())


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("checkpoint", nargs="?", type=Path, help="Only this, in this process.")
    stated = parser.parse_args().checkpoint
    if stated is None:
        main()
    else:
        measure(stated)
