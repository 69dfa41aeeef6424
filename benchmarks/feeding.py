"""What a picture costs the processes around a device that takes no time: those that read, and main.

The device is this processor, and its answers are there before they are asked for, so that what is
measured is everything else: JPEG files in, a ledger out. Of a GPU the copies and launches are
missing, which its driver makes.
"""

import json
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.pictures import write_pictures
from benchmarks.runs import command_line, write_result
from resnext.distributed.job import Job
from resnext.images.image_set import ImageSet
from resnext.images.sources.folders import class_folders
from resnext.inference.arithmetic import Precision
from resnext.inference.pending import PendingValues
from resnext.inference.plan import make_plan
from resnext.inference.predictor import Predictor
from resnext.model import ResNeXt
from resnext.pixels.raw_crops import RawCrops
from resnext.preprocessing import IMAGENET
from resnext.spec import Spec
from resnext.terminal.watcher import Watcher
from validate.ledger.ledger import Ledger
from validate.measured_pass import Measurement, PreparedRun, run_pass
from validate.verdicts.results import MeasuredRun

IMAGES = 5120
DIFFERENT = 120
BATCH_SIZE = 128
ROUNDS = 5
CLASSES = 1000
WAYS = {"bytes": True, "float32": False}  # what is handed over -> whether the device scales


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


def main() -> None:
    """Measure, print and write the result."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "val")
        write_pictures(images, IMAGES, different=DIFFERENT)
        found = class_folders(images)
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for turn in range(ROUNDS + 1):
            for name, on_device in WAYS.items():
                seconds = _spent(found, Path(folder, "ledger.jsonl"), on_device=on_device)
                if turn:  # the first is for warmth
                    spent[name].append(seconds)
    rows = {
        name: {
            "reading_milliseconds": round(1000 * median(reading for reading, _ in row), 3),
            "main_milliseconds": round(1000 * median(main for _, main in row), 3),
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
    write_result("feeding", facts, ("numpy", "simplejpeg", "torch", "resnext"))
    print(json.dumps(facts, indent=2))


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
    command_line().parse_args()
    main()
