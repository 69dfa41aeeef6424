"""What a picture costs the processes around a device that takes no time: those that read, and main.

The device is this processor, and its answers are there before they are asked for, so that what is
measured is everything else: JPEG files in, a ledger out. Of a GPU the copies and launches are
missing, which its driver makes. "Around" is what those that read need beside the decoder and the
scaling: the file, checks, crops, shared memory and messages.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import simplejpeg
import torch

from benchmarks.pictures import write_pictures
from benchmarks.runs import command_line, run, write_result
from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.inference.arithmetic import Precision
from resnext.inference.pending import PendingValues
from resnext.inference.plan import make_plan
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from resnext.pixels.raw_crops import RawCrops
from resnext.pixels.transforms import prepare_pixels
from resnext.preprocessing import IMAGENET
from resnext.spec import Spec
from resnext.terminal.watcher import Watcher
from validate.ledger.ledger import Ledger
from validate.measured_pass import Measurement, PreparedRun, run_pass
from validate.verdicts.results import MeasuredRun

IMAGES = 3200  # as many as each of 16 processes reads of ImageNet's validation set
DIFFERENT = 120
BATCH_SIZE = 128
ROUNDS = 3
CLASSES = 1000
WAYS = {"bytes": True, "float32": False}  # what is handed over -> whether the device scales

# In a process of its own, so that earlier code can be measured in turn with this.
ONCE = """
import sys
from pathlib import Path
import torch
from benchmarks.feeding import _spent
from resnext.images.sources.folders import class_folders

torch.set_num_threads(1)
images, ledger = class_folders(Path(sys.argv[1])), Path(sys.argv[1], "ledger.jsonl")
for _ in range(2):  # the first is for warmth
    found = _spent(images, ledger, on_device=sys.argv[2] == "True")
print(*found)
"""


class Instant(Predictor):
    """Answers at once, and at random."""

    def __init__(self) -> None:
        small = Spec(blocks=(1, 1, 1, 1), cardinality=1, base_width=4, planes=4, classes=CLASSES)
        network = ResNeXt(small).eval()
        super().__init__(network, device=torch.device("cpu"), precision=Precision.FP32)
        draw = np.random.default_rng(0).random((BATCH_SIZE, CLASSES), np.float32)
        self.answers = torch.from_numpy(draw)
        self.ahead = 1

    def start(self, inputs: torch.Tensor | RawCrops) -> PendingValues:
        """Return logits of as many pictures."""
        return PendingValues(values=self.answers[: len(inputs)])


def main(before: Path | None = None) -> None:
    """Measure, print and write the result.

    Args:
        before: folder of an earlier state of this code, installed there as it is here; or None.
    """
    codes = {"": Path.cwd(), **({" before": before.resolve()} if before else {})}
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), IMAGES, different=DIFFERENT)
        files = [path.read_bytes() for path in Path(folder).rglob("*.JPEG")]
        commands = {
            way + code: [
                *("env", f"--chdir={place}", sys.executable, "-c", ONCE),
                *(folder, str(on_device)),
            ]
            for way, on_device in WAYS.items()
            for code, place in codes.items()
        }
        spent: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                reading, main = map(float, run(command).output.split())
                alone = _alone(files, on_device=WAYS[name.split()[0]])
                spent[name].append((reading, main, reading - alone))
    rows = {
        name: {
            f"{part}_milliseconds": round(1000 * median(column), 3)
            for part, column in zip(
                ("reading", "main", "around"), zip(*row, strict=True), strict=True
            )
        }
        for name, row in spent.items()
    }
    facts = {
        "unit": "processor time a picture",
        "images": IMAGES,
        "different_pictures": DIFFERENT,
        "batch_size": BATCH_SIZE,
        "rounds": ROUNDS,
        "rows": rows,
    }
    name = "feeding_compared" if before else "feeding"
    write_result(name, facts, ("numpy", "simplejpeg", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


def _alone(files: Sequence[bytes], *, on_device: bool) -> float:
    """Return the seconds that the decoder, and where no device scales the scaling, take alone."""
    begin = time.process_time()
    for data in files:
        pixels = simplejpeg.decode_jpeg(data)
        if not on_device:
            prepare_pixels(pixels, IMAGENET)
    return (time.process_time() - begin) / len(files)


def _spent(images: ImageSet, ledger: Path, *, on_device: bool) -> tuple[float, float]:
    """Return the seconds of processor time that a picture takes: of who reads, and of main."""
    measured = MeasuredRun(checkpoint="x", network="x", weights_sha256="0", preprocessing=IMAGENET)
    plan = make_plan(len(images), limit=None, seed=0, batch_size=BATCH_SIZE)
    measurement = Measurement(
        images=images,
        plan=plan,
        runs=(PreparedRun(run=measured, predictor=Instant(), on_device=on_device),),
        classes=CLASSES,
        claimed=(False,),
        workers=1,
        compared=0,
        stops_early=False,
    )
    before, begin = _children(), time.process_time()
    with Ledger.open(ledger, {}, plan) as kept:
        run_pass(measurement, Job(), kept, Watcher())
    main, reading = time.process_time() - begin, _children() - before
    ledger.unlink()
    return reading / len(images), main / len(images)


def _children() -> float:
    """Return the seconds of processor time of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    parser = command_line()
    parser.add_argument("--before", type=Path, metavar="DIR", help="Earlier code, for comparison.")
    main(parser.parse_args().before)
