"""How far another pipeline's pixels move a network: trained under each, measured under all.

The digits, in pictures with texture that are scaled down to several sizes. Half of them train a
network, the other half measures it, and the other way round, a few times over. OpenCV's pipeline is
measured where OpenCV is installed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.digit_pictures import draw_digits
from benchmarks.pictures import draw_pictures
from benchmarks.runs import command_line, write_result
from resnext.errors import PreprocessingError
from resnext.model import ResNeXt
from resnext.pixels.pipelines import check_installed, prepare
from resnext.preprocessing import IMAGENET, Pipeline, Preprocessing
from resnext.spec import Block, Spec
from validate.verdicts.significance import exact_mcnemar

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitSet:
    """A set of pictures, and how its networks are trained.

    Attributes:
        scale: shorter side of the scaled picture in pixels.
        crop: side of the input.
        share: of the picture's sides that the digit takes.
        epochs: of a training.
    """

    scale: int
    crop: int
    share: float = 1
    epochs: int = 12


# Crops are to the scale as 224 is to 256. Small digits have as many pixels as those that fill an
# input of 32.
SETS: Final = {
    "32": DigitSet(scale=36, crop=32),
    "64": DigitSet(scale=72, crop=64),
    "64 small": DigitSet(scale=72, crop=64, share=1 / 2),
    "112": DigitSet(scale=128, crop=112),
    "224": DigitSet(scale=256, crop=224, epochs=8),
}
# Small, so that dozens are trained in an hour on one core: ResNet-10 with an eighth of the width.
SPEC: Final = Spec(
    blocks=(1, 1, 1, 1), block=Block.BASIC, planes=8, base_width=8, stem_width=8, classes=10
)
TRAINED: Final = (Pipeline.TORCH7, Pipeline.PIL)
RESAMPLES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Attributes:
        sets: keys of `SETS`.
        repeats: how often the pictures are divided into halves.
        epochs: of a training; None takes each set's own.
        count: of pictures of each set of digits; None takes all 1,797.
        batch, lr: of a step; the learning rate falls along a cosine.
    """

    sets: tuple[str, ...] = tuple(SETS)
    repeats: int = 3
    epochs: int | None = None
    count: int | None = None
    batch: int = 32
    lr: float = 0.05


def main(plan: Plan | None = None, *, path: Path | None = None) -> None:
    """Measure, print, and write the result after each set.

    Args:
        plan: how much is measured; None is all.
        path: of the result; None is its usual place.
    """
    plan = plan or Plan()
    torch.set_num_threads(1)  # sums in one order: the same numbers in every run of a machine
    packages = ["numpy", "torch", "pillow", "simplejpeg", "resnext"]
    if Pipeline.OPENCV in installed():
        packages.append("opencv-python-headless")
    photographs = differences(draw_pictures()[: plan.count], IMAGENET)
    facts: dict[str, Any] = {
        "network": f"{SPEC.name}, {SPEC.planes} channels in the first stage",
        "networks": 2 * plan.repeats,
        "photographs": photographs,
        "sets": {},
    }
    for name in plan.sets:
        facts["sets"][name] = measure(SETS[name], plan)
        print(json.dumps({name: facts["sets"][name]}), flush=True)
        write_result("ports", facts, packages, path=path)


def measure(digits: DigitSet, plan: Plan) -> dict[str, Any]:
    """Return what each pipeline does to networks that were trained under another, on one set."""
    row = replace(IMAGENET, scale=digits.scale, crop=digits.crop)
    files, labels = draw_digits(digits.crop, share=digits.share, count=plan.count)
    plan = replace(plan, epochs=plan.epochs or digits.epochs)
    inputs = {name: prepared(files, row.with_pipeline(name)) for name in installed()}
    logits = {
        trained: [answers(inputs, labels, trained, seed, plan) for seed in range(plan.repeats)]
        for trained in TRAINED
    }
    found = {
        trained: {name: np.stack([each[name] for each in rounds]) for name in inputs}
        for trained, rounds in logits.items()
    }
    return {
        **asdict(digits),
        "epochs": plan.epochs,
        "pictures": len(files),
        "grey_levels": differences(files, row),
        "trained": {
            trained: {name: compared(ways[trained], ways[name], labels) for name in inputs}
            for trained, ways in found.items()
        },
        "own": compared(found[TRAINED[0]][TRAINED[0]], found[TRAINED[1]][TRAINED[1]], labels),
    }


def installed() -> Iterator[Pipeline]:
    """Yield the pipelines whose libraries are there."""
    for name in Pipeline:
        try:
            check_installed(replace(IMAGENET, pipeline=name, interpolation=None))
        except PreprocessingError:
            continue
        yield name


def prepared(files: Sequence[bytes], row: Preprocessing) -> Floats:
    """Return the network's inputs (N, 3, crop, crop), as `resnext-validate` feeds them."""
    inputs = np.empty((len(files), 3, row.crop, row.crop), np.float32)
    for place, data in enumerate(files):
        inputs[place] = prepare(data, row)
    return inputs


def differences(files: Sequence[bytes], row: Preprocessing) -> dict[str, float]:
    """Return by how many grey levels of 255 pipelines differ from that of a row, on average."""
    std = np.array(row.std, np.float32)[:, None, None]
    totals = {name: 0.0 for name in installed() if name is not row.pipeline}
    for data in files:
        own = prepare(data, row)
        for name in totals:
            other = prepare(data, row.with_pipeline(name))
            totals[name] += float((np.abs(other - own) * std).mean(dtype=np.float64)) * 255
    return {name: round(total / len(files), 2) for name, total in totals.items()}


def answers(
    inputs: Mapping[Pipeline, Floats],
    labels: NDArray[np.int64],
    trained: Pipeline,
    seed: int,
    plan: Plan,
) -> dict[Pipeline, Floats]:
    """Return logits (N, classes) of all pictures under each pipeline.

    Two networks are trained, each on one half of the pictures, and answer for the other half.

    Args:
        inputs: of the pictures under each pipeline.
        labels: (N,) of the pictures.
        trained: the pipeline of the trainings.
        seed: of the halves, the initial weights and the order. Pipelines share all of them.
        plan: of the trainings.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    halves = np.array_split(order, 2)
    logits = {name: np.empty((len(labels), SPEC.classes), np.float32) for name in inputs}
    for number, (kept, measured) in enumerate((halves, halves[::-1])):
        network = fitted(inputs[trained], labels, kept, 2 * seed + number, plan)
        with torch.inference_mode():
            for name, pictures in inputs.items():
                for few in np.array_split(measured, -(-len(measured) // 64)):
                    logits[name][few] = network(torch.from_numpy(pictures[few])).numpy()
    return logits


def fitted(
    pictures: Floats, labels: NDArray[np.int64], kept: NDArray[np.int64], seed: int, plan: Plan
) -> ResNeXt:
    """Return a network trained on some pictures, each shifted by up to an eighth of its side."""
    generator = torch.Generator().manual_seed(seed)
    network = ResNeXt(SPEC, generator=generator)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=plan.lr, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    assert plan.epochs is not None, "a set's own stand in"
    # Pictures left over of an epoch wait for another one: batch norms of two or three mislead.
    steps = max(1, len(kept) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs * steps)
    for _ in range(plan.epochs):
        order = torch.randperm(len(kept), generator=generator)
        for few in order.split(plan.batch)[:steps]:
            places = kept[few.numpy()]
            inputs = shifted(torch.from_numpy(pictures[places]), generator)
            loss = F.cross_entropy(network(inputs), torch.from_numpy(labels[places]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def shifted(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Return the pictures (N, 3, S, S) shifted by up to S/8 each way, zeros where nothing is."""
    size = inputs.shape[-1]
    padded = F.pad(inputs, [size // 8] * 4)
    tops, lefts = torch.randint(size // 8 * 2 + 1, (2, len(inputs)), generator=generator).tolist()
    return torch.stack(
        [
            picture[:, top : top + size, left : left + size]
            for picture, top, left in zip(padded, tops, lefts, strict=True)
        ]
    )


def compared(own: Floats, other: Floats, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return how answers differ from others on the same pictures.

    Args:
        own, other: (repeats, N, classes) logits.
        labels: (N,).

    Returns:
        Counts over all repeats, and `wrong_each` of each. `points`: the difference of the errors in
        points and its 95 % interval, by resampling the pictures, each with its answers of all
        repeats. `mcnemar`: the exact test of each repeat, in which each picture is once. `logits`:
        root mean square of the change, over the deviation of the logits.
    """
    before, after = own.argmax(-1), other.argmax(-1)
    right, still = before == labels, after == labels
    lost, gained = right & ~still, ~right & still
    change = lost.mean(0) - gained.mean(0)  # (N,)
    draw = np.random.default_rng(0)
    means = [change[draw.integers(len(change), size=len(change))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "decisions": int(before.size),
        "wrong": int((~still).sum()),
        "wrong_each": (~still).sum(1).tolist(),
        "changed": int((before != after).sum()),
        "lost": int(lost.sum()),
        "gained": int(gained.sum()),
        "points": [round(100 * float(value), 2) for value in (change.mean(), low, high)],
        "mcnemar": [
            float(f"{exact_mcnemar(int(a), int(b)):.2g}")
            for a, b in zip(lost.sum(1), gained.sum(1), strict=True)
        ],
        "logits": round(float(np.sqrt(((other - own) ** 2).mean()) / own.std()), 3),
    }


if __name__ == "__main__":
    command_line().parse_args()
    main()
