"""What `--compile` costs and gains on a CPU: processor seconds of the first steps, both ways.

The network of the demo, batches of 32 digits' size; the compiler's processes count too, and its
cache is empty (`TORCHINDUCTOR_CACHE_DIR`).
"""

import json
import os
import resource
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.runs import command_line, write_result
from benchmarks.train import DIGITS

STEPS: Final = 4
BATCH: Final = 32
WAYS: Final = {"plain": False, "compiled": True}


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        # In this process and its children, whose time is known when they have ended.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        facts = facts_of({name: seconds(compiled=each) for name, each in WAYS.items()})
    write_result("compiled", facts, ("torch", "resnext"))
    print(json.dumps(facts, indent=2))


def facts_of(steps: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the result: for each way the first step, and the quickest of the others."""
    rows = {
        name: {"first_seconds": round(row[0], 2), "later_seconds": round(min(row[1:]), 2)}
        for name, row in steps.items()
    }
    return {"network": "resnext_11_8x4d", "batch_size": BATCH, "steps": STEPS, "rows": rows}


def seconds(*, compiled: bool) -> list[float]:
    """Return the processor seconds of each of the first steps."""
    import torch

    import convert
    from train.recipe.recipe import FINETUNE
    from train.step.learner import Learner, Machine
    from train.step.loss import Objective
    from train.step.micro_batch import MicroBatch

    network = convert.load(DIGITS / "resnext_11_8x4d_digits.t7").build()
    machine = Machine(device=torch.device("cpu"), compiled=compiled)
    learner = Learner(network, FINETUNE, machine, Objective())
    part = MicroBatch(inputs=torch.randn(BATCH, 3, 32, 32), labels=torch.arange(BATCH) % 10)
    found = []
    for number in range(STEPS):
        before = _processor_seconds()
        learner.step([part], lr=0.001, weight=BATCH, number=number + 1)
        found.append(_processor_seconds() - before)
    return found


def _processor_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    command_line().parse_args()
    main()
