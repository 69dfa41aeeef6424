"""What a step of training calls, operator by operator, and its memory: two versions of the code.

`--before DIR` names a checkout of the other version; without it, only this one is measured. The
operators are those that PyTorch dispatches behind autograd and autocast, each of which a GPU
computes with one kernel or a few; views, which compute nothing, are left out. They are counted on a
CPU, of tensors without values, with the optimiser and the norm in the way that they have on a GPU.
Processor time and memory are those of the CPU's own way.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.runs import command_line, write_result

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 1
# Steps of ResNeXt-50 (32x4d): the precision and the parts of a batch.
COUNTED: Final = {"bf16": ("bf16", "1"), "bf16 in four parts": ("bf16", "4"), "fp32": ("fp32", "1")}
MEASURED: Final = ("measure", "fp32", "1")

# Runs in the code of either version.
CHILD: Final = """
import inspect, json, resource, sys, time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import clip_grad
from torch.utils._python_dispatch import TorchDispatchMode
from resnext.machine import keep_freed_memory
from resnext.model import ResNeXt
from resnext.spec import Spec
from train.recipe.recipe import IMAGENET_2017
from train.step import learner as module
from train.step.loss import Objective
from train.step.micro_batch import MicroBatch
counts = sys.argv[1] == "counts"
machine = module.Machine(device=torch.device("cpu"), ahead=int(counts))
if counts:
    clip_grad._has_foreach_support = lambda *_: True
    if hasattr(module, "takes_fused"):
        module.takes_fused = lambda *_: True
else:
    keep_freed_memory()
fake = FakeTensorMode() if counts else nullcontext()
fake.__enter__()
VIEWS = "view alias detach t transpose permute expand slice select as_strided unsqueeze".split()
VIEWS += ["device"]
class Calls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.found = Counter()
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name not in VIEWS and not name.startswith(("empty_like", "_unsafe_view", "_record")):
            self.found[name] += 1
        return func(*args, **kwargs or {})
def step(precision, parts):
    recipe = replace(
        IMAGENET_2017, precision=precision, channels_last=True, ema=0.999 if counts else 0
    )
    network = ResNeXt(Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4))
    if counts:
        network.to = lambda *_, **__: network  # it is there; such tensors do not move
    learner = module.Learner(network, recipe, machine, Objective())
    how = {}
    if counts:
        if "measured" in inspect.signature(module.Learner.start).parameters:
            how = {"measured": False}
        for group in learner.optimizer.param_groups:
            group["foreach"] = None if group["fused"] else True
    images, side = (256, 224) if counts else (16, 160)
    torch.manual_seed(0)
    batch = [
        MicroBatch(inputs=torch.randn(images, 3, side, side), labels=torch.arange(images))
        for _ in range(parts)
    ]
    seconds, calls = [], Calls()
    for number in range(3):
        begin = time.process_time()
        with calls if counts and number == 2 else nullcontext():
            act = learner.start if counts else learner.step
            act(batch, lr=0.01, weight=images * parts, number=number + 1, **how)
        seconds.append(time.process_time() - begin)
    return {"calls": dict(calls.found), "seconds": min(seconds[1:])}
rows = [step(precision, int(parts)) for precision, parts in zip(sys.argv[2::2], sys.argv[3::2])]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([{**row, "peak": peak} for row in rows]))
"""


def main(before: Path | None = None) -> None:
    """Measure, print and write the result."""
    places = {**({"before": before} if before else {}), "now": ROOT}
    words = ["counts", *chain.from_iterable(COUNTED.values())]
    runs: dict[str, list[Mapping[str, Any]]] = {place: [] for place in places}
    with ThreadPoolExecutor() as threads:  # what is counted does not depend on the load
        begun = {place: threads.submit(_child, path, words) for place, path in places.items()}
        found = {place: each.result() for place, each in begun.items()}
    for _ in range(ROUNDS):
        for place, path in places.items():
            runs[place] += _child(path, MEASURED)
    counted = {
        name: {place: rows[number]["calls"] for place, rows in found.items()}
        for number, name in enumerate(COUNTED)
    }
    base = runs[next(iter(places))]
    facts = {
        "network": "resnext_50_32x4d",
        "commits": {place: _commit(path) for place, path in places.items()},
        "operators": {
            name: {place: sum(calls.values()) for place, calls in row.items()}
            for name, row in counted.items()
        },
        "by_name": {name: _changed(row) for name, row in counted.items()},
        "processor": {
            place: {
                "seconds": round(median(each["seconds"] for each in row), 3),
                "times_first": round(
                    median(a["seconds"] / b["seconds"] for a, b in zip(row, base, strict=True)), 2
                ),
                "peak_mb": round(max(each["peak"] for each in row) / 1e6),
            }
            for place, row in runs.items()
        },
    }
    write_result("step", facts, ("torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _child(path: Path, words: Sequence[str]) -> list[dict[str, Any]]:
    """Return what a process found that runs the code of a checkout."""
    command = [sys.executable, "-c", CHILD, *words]
    done = subprocess.run(command, cwd=path, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _changed(row: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return how often each operator is called, of those whose number is not the same."""
    names = sorted({name for calls in row.values() for name in calls})
    found = {name: {place: calls.get(name, 0) for place, calls in row.items()} for name in names}
    return {name: each for name, each in found.items() if len({*each.values()}) > 1 or len(row) < 2}


def _commit(path: Path) -> str:
    command = ["git", "-C", str(path), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("--before", type=Path, metavar="DIR", help="checkout of another version")
    main(parser.parse_args().before)
