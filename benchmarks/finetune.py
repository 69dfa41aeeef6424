"""Fine-tuning a small folder as one feels it: a thousand pictures, three epochs, up to the page.

The parts are those of the clock on the wall: from the command to the end of the first step, the
rest of the epochs, the validations, and from the last of them to the end, with the page written.
`--before DIR` measures another checkout in turn with this one.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.gpu.passes import Pass, passes
from benchmarks.runs import Run, command_line, run, write_result
from benchmarks.train import DIGITS, FINETUNE

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 1
# Of the 1,437 digits to train on, this part is left, and validated with; see `--val-fraction`.
FRACTION: Final = "0.304"
PARTS: Final = ("first_step", "epochs", "validations", "page", "whole")


def main(before: Path | None = None) -> None:
    """Measure, print and write the result."""
    places = {**({"before": before} if before else {}), "now": ROOT}
    loads: list[float] = []
    runs: dict[str, list[Run]] = {name: [] for name in places}
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *(sys.executable, "-m", "benchmarks.gpu.passes", "train", *FINETUNE),
            *("--data", str(DIGITS / "train.tar"), "--val-fraction", FRACTION, "--epochs", "3"),
            *("--output", str(Path(folder, "run")), "--force"),
        ]
        for _ in range(ROUNDS):
            loads.append(os.getloadavg()[0])
            for name, place in places.items():
                runs[name].append(run(["env", "-C", str(place), *words]))
    facts = {
        "network": "resnext_11_8x4d",
        "rounds": ROUNDS,
        "load_of_others": [round(load, 1) for load in loads],
        "images": sum(each.images for each in _named(passes(runs["now"][0]), "epoch")) // 3,
        "rows": {name: _row(row) for name, row in runs.items()},
    }
    write_result("finetune", facts, ("numpy", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _row(runs: Sequence[Run]) -> dict[str, float]:
    """Return the median seconds of each part, and the most memory."""
    found = [_parts(each) for each in runs]
    row = {part: round(median(each[part] for each in found), 2) for part in PARTS}
    return row | {"peak_mb": round(max(each.peak_bytes for each in runs) / 1e6)}


def _parts(done: Run) -> Mapping[str, float]:
    """Return the seconds of each part of a run."""
    found = passes(done)
    epochs, validations = _named(found, "epoch"), _named(found, "validation")
    first = epochs[0].marks[1][0] - done.began
    learning = sum(each.end - each.begin for each in epochs) - (
        epochs[0].marks[1][0] - epochs[0].begin
    )
    validating = sum(each.end - each.begin for each in validations)
    end = done.began + done.seconds
    return {
        "first_step": first,
        "epochs": learning,
        "validations": validating,
        "page": end - validations[-1].end,
        "whole": done.seconds,
    }


def _named(found: Sequence[Pass], start: str) -> list[Pass]:
    """Return the passes whose text begins so."""
    return [each for each in found if each.text.startswith(start)]


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("--before", type=Path, metavar="DIR", help="checkout of another version")
    main(parser.parse_args().before)
