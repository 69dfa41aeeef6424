"""The network alone on a CPU: what folding, fusing and kept memory each save, and its runtimes."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks import runtimes
from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.runs import command_line, in_turn, write_result
from resnext.checkpoint import Checkpoint
from resnext.inference.folding import folded
from resnext.inference.fusion import fused
from resnext.machine import keep_freed_memory
from resnext.model import ResNeXt
from resnext.preprocessing import IMAGENET

BATCH_SIZE = 16
REPEATS = 2
ROUNDS = 5


Compute = Callable[[Tensor], Tensor]  # pictures (N, 3, H, W) to logits (N, classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to compute a network.

    Attributes:
        make: what becomes of the network that was loaded.
        dtype: of weights and pictures.
        layout: of both in memory.
        kept: freed memory stays with the process.
    """

    make: Callable[[ResNeXt], Compute]
    dtype: torch.dtype = torch.float32
    layout: torch.memory_format = torch.channels_last
    kept: bool = False


FIRST = torch.contiguous_format
WAYS = {
    "plain": Way(make=lambda network: network, layout=FIRST),
    "folded": Way(make=folded),
    "fused": Way(make=lambda network: fused(folded(network))),
    "kept": Way(make=lambda network: fused(folded(network)), kept=True),
    "bf16_folded": Way(make=lambda network: folded(network).bfloat16(), dtype=torch.bfloat16),
    "bf16_fused": Way(make=lambda network: fused(folded(network).bfloat16()), dtype=torch.bfloat16),
    "bf16_kept": Way(
        make=lambda network: fused(folded(network).bfloat16()), dtype=torch.bfloat16, kept=True
    ),
    "onnxruntime": Way(make=runtimes.onnxruntime_network, layout=FIRST),
    "openvino": Way(make=runtimes.openvino_network, layout=FIRST),
}

STEPS = tuple(name for name in WAYS if name not in ("onnxruntime", "openvino"))
# Result -> its ways, the others over the first, and the packages whose versions matter.
RESULTS = {
    "network": (STEPS, ("torch", "resnext")),
    "network_runtimes": (
        ("kept", "onnxruntime", "openvino"),
        ("torch", "onnxruntime", "openvino", "resnext"),
    ),
}


def seconds(way: Way, checkpoint: Path) -> float:
    """Return the processor seconds of an image, on one thread."""
    torch.set_num_threads(1)
    if way.kept:
        keep_freed_memory()
    network = way.make(Checkpoint.load(checkpoint).build())
    if isinstance(network, nn.Module):
        network = network.to(memory_format=way.layout)  # type: ignore[call-overload]
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randn(BATCH_SIZE, 3, IMAGENET.crop, IMAGENET.crop, generator=draw)
    return min(_run(network, pictures, way) for _ in range(1 + REPEATS)) / BATCH_SIZE


def _run(network: Compute, pictures: Tensor, way: Way) -> float:
    start = time.process_time()
    with torch.inference_mode():
        network(pictures.to(way.dtype).contiguous(memory_format=way.layout))
    return time.process_time() - start


def main(results: Sequence[str] = tuple(RESULTS)) -> None:
    """Measure, print and write results."""
    if "network_runtimes" in results:
        runtimes.import_openvino()  # what is missing is said before anything is measured
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, "random.safetensors")
        write_random(checkpoint, RESNEXT_50)
        for name in results:
            _measure(name, checkpoint)


def _measure(result: str, checkpoint: Path) -> None:
    names, packages = RESULTS[result]
    # In processes of their own: what one has freed would serve the next.
    commands = {
        name: [sys.executable, "-m", "benchmarks.network", name, str(checkpoint)] for name in names
    }
    runs = in_turn(commands, rounds=ROUNDS, warm=False)
    spent = {name: [float(run.output) for run in row] for name, row in runs.items()}
    first = names[0]
    rows = {
        name: {
            "milliseconds": round(1000 * median(row), 1),
            f"times_{first}": round(
                median(base / one for base, one in zip(spent[first], row, strict=True)), 2
            ),
        }
        for name, row in spent.items()
    }
    facts = {
        "network": RESNEXT_50.name,
        "batch_size": BATCH_SIZE,
        "rounds": ROUNDS,
        "unit": "milliseconds of processor time an image, one thread",
        "rows": rows,
    }
    write_result(result, facts, packages)
    for name, row in rows.items():
        print(f"{name:16} {row}")


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("way", nargs="?", choices=WAYS, help="Only this, of CHECKPOINT.")
    parser.add_argument("checkpoint", nargs="?", type=Path)
    parser.add_argument("--result", choices=RESULTS, help="Only this one is measured and written.")
    given = parser.parse_args()
    if given.way and not given.checkpoint:
        parser.error("a checkpoint expected after the way")
    if given.way:
        print(seconds(WAYS[given.way], given.checkpoint))
    else:
        main([given.result] if given.result else tuple(RESULTS))
