"""Likely causes of a claim that was not reproduced: a table of the symptoms of known mistakes.

The signatures are those that people reported: labels in another order, a network that always
answers the same class, another resize, images that were scaled or encoded before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.pixels.pipelines import Pipeline
from validate.verdicts.claims import Judgement, tolerance
from validate.verdicts.results import MeasuredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """The symptoms of a measurement, as fractions of the images and in percentage points.

    Attributes:
        correct: share of correct best classes.
        chance: what guessing would give, 1 / classes.
        favourite: share of the class that is answered most often.
        shifted: largest share of best classes that are one above, or one below, the label.
        swapped: classes, of `ENOUGH` images or more, of whose images most are answered with another
            class, and its with them.
        excess: measured minus claimed error in points; the largest of the claims concerned.
        accuracy: a claim is what is right, and not what is wrong.
        run: how it was measured.
    """

    correct: float
    chance: float
    favourite: float
    shifted: float
    swapped: int
    excess: float
    accuracy: bool
    run: MeasuredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A mistake and what it looks like.

    Attributes:
        applies: tells whether the symptoms are its.
        text: what it may be, and what to do.
    """

    applies: Callable[[Symptoms], bool]
    text: str


# With so many images of a class, most of them are not wrong in the same way by chance.
ENOUGH: Final = 10

# The first that applies is reported; later ones are less specific.
CAUSES: Final = (
    Cause(
        applies=lambda s: s.accuracy,
        text="the claim is what was measured as right: a claim states the error, 100 minus that",
    ),
    Cause(
        applies=lambda s: s.favourite > 0.5 and s.chance < 0.25,
        text="one class is answered for more than half of the images: the statistics of batch norm "
        "or the normalisation of the pictures are wrong; compare the checkpoint's preprocessing",
    ),
    Cause(
        applies=lambda s: s.shifted > 0.5,
        text="most answers are one class beside the label: the labels count from one, or a class "
        "folder is missing or one too many",
    ),
    Cause(
        applies=lambda s: s.correct < max(min(3 * s.chance, (1 + s.chance) / 2), 0.05),
        text="hardly more is right than by guessing: the labels are in another order (the "
        "devkit's ids are not the sorted order, numeric folders sort as strings), or this is "
        "another folder than meant",
    ),
    Cause(
        applies=lambda s: s.swapped > 0,
        text="most images of some classes are answered with one another's: their folders or labels "
        "are swapped; the confusion matrix of the report names them",
    ),
    Cause(
        applies=lambda s: s.run.pipeline is Pipeline.PIL and 0.2 <= s.excess <= 1.5,
        text="the pil pipeline is so much above what was printed as every known port: the pixels "
        "differ from the original's; --pipeline torch7 is equal to it in every bit",
    ),
    Cause(
        applies=lambda s: s.run.precision in ("bf16", "fp16", "tf32") and abs(s.excess) < 0.3,
        text="the difference is of the size that a faster arithmetic makes: measure with "
        "--precision fp32, or see what it changes with --compare-precision",
    ),
    Cause(
        applies=lambda s: 0 < s.excess <= 1.5,
        text="a little too much is wrong: pictures that were scaled or encoded anew before "
        "(compare file sizes with the original tar), or weights that were converted by other means",
    ),
    Cause(
        applies=lambda s: s.excess > 1.5,
        text="much too much is wrong, and not by chance: another preprocessing than the claim's (a "
        "square resize, another scale or crop, another mean), or other weights",
    ),
    Cause(
        applies=lambda s: s.excess < 0,
        text="less is wrong than was printed: another set of images, pictures that the network was "
        "trained on, or other weights",
    ),
)


def diagnose(
    run: MeasuredRun,
    answers: NDArray[np.int32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    failed: Sequence[Judgement],
) -> tuple[str, ...]:
    """Return the likely cause why claims do not hold; nothing if there are none of those.

    Args:
        run: how it was measured.
        answers: (N,) best classes of the N images that could be read.
        labels: (N,) their labels.
        classes: of the network.
        failed: the claims that do not hold; under `pil`, those that would not.
    """
    if not failed or not len(answers):
        return ()
    symptoms = Symptoms(
        correct=float((answers == labels).mean()),
        chance=1 / classes,
        favourite=float(np.bincount(answers, minlength=classes).max() / len(answers)),
        shifted=max(float((answers == labels + by).mean()) for by in (-1, 1)),
        swapped=_swapped(answers, labels, classes),
        accuracy=any(_is_accuracy(each) for each in failed),
        excess=max((float(each.points) for each in failed), key=abs),
        run=run,
    )
    return tuple(cause.text for cause in CAUSES if cause.applies(symptoms))[:1]


def _swapped(answers: NDArray[np.int32], labels: NDArray[np.int64], classes: int) -> int:
    """Count the classes that are mostly answered with another class, and that one with them."""
    images = np.bincount(labels, minlength=classes)
    wrong = answers != labels
    pairs = np.stack([labels[wrong], answers[wrong]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    of = images[found[:, 0]]
    most = set(map(tuple, found[(2 * counts > of) & (of >= ENOUGH)].tolist()))
    return sum((other, label) in most for label, other in most)


def _is_accuracy(judged: Judgement) -> bool:
    """Tell whether 100 minus the claim would hold, and is no error that one might mean."""
    value = Fraction(judged.claim.value)
    return value > 50 > judged.measured and (
        abs(100 - value - judged.measured) <= tolerance(judged.claim.value)
    )
