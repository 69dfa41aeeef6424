"""resnext-train on the digits, fine-tuned and from scratch, and what saving memory costs."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.runs import command_line, in_turn, run, script, summary, write_result

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
SEEDS = {"finetune": (0, 1, 2), "scratch": (0,)}
IMAGES = ("--data", str(DIGITS / "train.tar"), "--val-data", str(DIGITS / "val"))

# No digit is another's mirror image, so none is mirrored.
FINETUNE = (
    *("--init", str(DIGITS / "resnext_11_8x4d_digits.t7")),
    *("--claims", str(DIGITS / "claims.toml"), "--flip", "0"),
)
# The CIFAR recipe of 2017 with fewer and smaller steps, as there are 1,437 pictures, not 50,000.
SCRATCH = (
    *("--recipe", "cifar-2017", "--depth", "11", "--base-width", "4", "--cardinality", "8"),
    *("--preprocessing", str(DIGITS / "preprocessing.toml"), "--flip", "0", "--padding", "2"),
    *("--batch-size", "32", "--epochs", "30"),
)

# Two steps of ResNeXt-101 on 16 pictures of 224 pixels, after one for warmth.
STEPS = """
import sys, torch
from resnext.machine import keep_freed_memory
from resnext.model import ResNeXt
from resnext.spec import Spec
from train.step.learner import Learner, Machine
from train.step.loss import Objective
from train.step.micro_batch import MicroBatch
from train.recipe.recipe import IMAGENET_2017
saves = sys.argv[1] == "saved"
if not saves:
    keep_freed_memory()
machine = Machine(device=torch.device("cpu"), saves_memory=saves)
network = ResNeXt(Spec(blocks=(3, 4, 23, 3), cardinality=32, base_width=4))
learner = Learner(network, IMAGENET_2017, machine, Objective())
part = MicroBatch(inputs=torch.randn(16, 3, 224, 224), labels=torch.arange(16))
for number in range(3):
    learner.step([part], lr=0.01, weight=16, number=number + 1)
"""


def main() -> None:
    """Measure, print and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            name: [train(Path(folder), name, words, seed) for seed in SEEDS[name]]
            for name, words in (("finetune", FINETUNE), ("scratch", SCRATCH))
        }
    commands = {kind: [sys.executable, "-c", STEPS, kind] for kind in ("kept", "saved")}
    fields = {
        "training": {name: digest(runs) for name, runs in rows.items()},
        "save_memory": summary(in_turn(commands, rounds=3), base="kept"),
    }
    write_result("train", fields, ("numpy", "torch", "safetensors", "resnext"))
    print(json.dumps(fields, indent=2))


def train(folder: Path, name: str, words: Sequence[str], seed: int) -> dict[str, Any]:
    """Train once, have its checkpoints measured by resnext-validate, and return what came out.

    Raises:
        RuntimeError: resnext-validate counts otherwise than the trainer did.
    """
    output = folder / f"{name}{seed}"
    command = [script("resnext-train"), *IMAGES, *words, "--seed", str(seed)]
    took = run([*command, "--output", str(output)])
    history = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    wrong = [row["val_wrong"] for row in history]
    found = {kind: validated(output / f"{kind}.safetensors") for kind in ("best", "last")}
    if found != {"best": min(wrong), "last": wrong[-1]}:
        raise RuntimeError(f"{output}: {found} wrong, the trainer counted {wrong}")
    return {
        "seed": seed,
        "seconds": round(took.seconds, 1),
        "peak_mb": round(took.peak_bytes / 1e6, 1),
        "images": history[-1]["val_images"],
        "wrong": wrong,
        "best_wrong": found["best"],
        "last_wrong": found["last"],
    }


def validated(checkpoint: Path) -> int:
    """Return how many validation images resnext-validate finds decided wrongly."""
    command = [script("resnext-validate"), "--data", str(DIGITS / "val"), "--json", str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (result,) = json.loads(done.stdout)["results"]
    return int(result["images"] - result["top1_correct"])


def digest(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return runs of several seeds with the mean and the range of their errors, in percent."""
    fields: dict[str, Any] = {"runs": list(runs)}
    for kind in ("best", "last"):
        errors = [100 * row[f"{kind}_wrong"] / row["images"] for row in runs]
        fields[f"{kind}_error"] = [round(f(errors), 2) for f in (mean, min, max)]
    fields["seconds"] = [round(f(row["seconds"] for row in runs), 1) for f in (mean, min, max)]
    return fields


if __name__ == "__main__":
    command_line().parse_args()
    main()
