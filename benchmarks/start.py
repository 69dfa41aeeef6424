"""How long a validation takes to its first decision, from its last one to the end, and what before.

On the demo, and for a ResNeXt-50 on photographs: a batch of 16 in fp32.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.networks import RESNEXT_50, write_random
from benchmarks.pictures import write_pictures
from benchmarks.runs import command_line, write_result
from benchmarks.trees import Watched, watch

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
ROUNDS = 5


def main(before: Path | None = None) -> None:
    """Measure, print and write the result.

    Args:
        before: folder of an earlier state of this code, installed there as it is here; or None.
    """
    codes = {"": Path.cwd(), **({" before": before.resolve()} if before else {})}
    with tempfile.TemporaryDirectory() as folder:
        photographs, checkpoint = Path(folder, "val"), Path(folder, "random.safetensors")
        write_pictures(photographs, 40)
        write_random(checkpoint, RESNEXT_50)
        digits = DIGITS / "resnext_11_8x4d_digits.t7"
        cases = {
            "digits": ("--data", str(DIGITS / "val"), "--limit", "32", str(digits)),
            "resnext_50": ("--data", str(photographs), "--limit", "32", str(checkpoint)),
        }
        commands = {
            case + code: _command(place, words)
            for case, words in cases.items()
            for code, place in codes.items()
        }
        found: dict[str, list[Watched]] = {name: [] for name in commands}
        for turn in range(ROUNDS + 1):
            for name, command in commands.items():
                ledger = Path(folder, "run.jsonl")
                seen = watch([*command, "--ledger", str(ledger)], ledger=ledger)
                ledger.unlink()
                if turn:  # the first is for warmth
                    found[name].append(seen)
    facts = {"rounds": ROUNDS, "rows": {name: _row(row) for name, row in found.items()}}
    write_result("start", facts, ("numpy", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _command(place: Path, words: Sequence[str]) -> list[str]:
    start = ("env", f"--chdir={place}", sys.executable, "-m", "validate.cli")
    return [*start, "--no-canary", "--json", "--device", "cpu", *words]


def _row(row: Sequence[Watched]) -> dict[str, Any]:
    """Return medians, and the timeline where the code tells it."""
    steps = [json.loads(each.output)["timing"].get("timeline", {}) for each in row]
    return {
        "first_seconds": round(median(each.first or each.seconds for each in row), 2),
        "end_seconds": round(median(each.after for each in row), 2),
        "process_seconds": round(median(each.seconds for each in row), 2),
        "timeline": {name: round(median(each[name] for each in steps), 2) for name in steps[0]},
    }


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("--before", type=Path, metavar="DIR", help="Earlier code, for comparison.")
    main(parser.parse_args().before)
