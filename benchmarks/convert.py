"""resnext-convert against `cp` of its output and against torchfile + torch.save."""

import sys
import tempfile
from pathlib import Path

from benchmarks.runs import command_line, in_turn, run, script, summary, write_result

NETWORK = "resnext_101_64x4d"
ROUNDS = 5

# What people did before: every tensor of the same network, through the usual two calls.
NAIVE = """
import sys, torch, torchfile
from torchfile import TorchObject

def tensors(value, name, found):
    fields = value._obj if isinstance(value, TorchObject) else {}
    for key in (b"weight", b"bias", b"running_mean", b"running_var"):
        if key in fields:
            found[f"{name}.{key.decode()}"] = torch.from_numpy(fields[key])
    for number, child in enumerate(fields.get(b"modules", [])):
        tensors(child, f"{name}.{number}", found)

found = {}
tensors(torchfile.load(sys.argv[1]), "model", found)
torch.save(found, sys.argv[2])
"""


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f"{NETWORK}.t7"), Path(folder, f"{NETWORK}.safetensors")
        # In a process of its own: a child's peak memory counts what its parent held at the fork.
        run([sys.executable, "-m", "benchmarks.skeleton", NETWORK, str(source)])
        convert = [script("resnext-convert"), "--force", str(source), "--output", str(target)]
        commands = {
            "cp": ["cp", str(target), str(Path(folder, "copy"))],
            "convert": [*convert, "--no-verify"],
            "convert_proven": convert,
            "torchfile": [sys.executable, "-c", NAIVE, str(source), str(Path(folder, "naive.pth"))],
        }
        run(commands["convert"])  # writes what cp copies
        rows = summary(in_turn(commands, rounds=ROUNDS), base="cp")
        sizes = {"source_bytes": source.stat().st_size, "output_bytes": target.stat().st_size}
    packages = ("numpy", "torch", "torchfile", "safetensors", "resnext")
    write_result("convert", {"network": NETWORK, **sizes, "rounds": ROUNDS, "rows": rows}, packages)
    for name, row in rows.items():
        print(f"{name:16} {row}")


if __name__ == "__main__":
    command_line().parse_args()
    main()
