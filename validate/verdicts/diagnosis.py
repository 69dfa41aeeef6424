"""Likely causes of a claim that was not reproduced: a table of the symptoms of known mistakes.

The signatures are those that people reported: labels in another order, a network that always
answers the same class, another resize, images that were scaled or encoded before. A cause is named
only where a test of its own finds its sign with a probability of chance below `ALPHA`:

- of decisions on single images (classes beside the label, exchanged classes, guesses): the binomial
  test, with the claimed error as the probability that an image is wrong;
- of a class that is answered too often: McNemar's test of its images that are answered otherwise,
  and of the others that are answered with it;
- of the size of a difference: McNemar's test of the most favourable case, that the images that
  differ are no more than the difference itself, and thus all differ in the same direction;
- of "much too much, and not by chance": the binomial test of the number of wrong images too, as if
  other images of the same kind had been drawn.

Where none does, so many images differ, and that is all that is said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.preprocessing import Pipeline, Preprocessing
from resnext.published import Metric
from resnext.terminal.text import number
from validate.verdicts.claims import Judgement, last_unit, tolerance
from validate.verdicts.relabelling import Relabelling, find_relabelling
from validate.verdicts.results import MeasuredRun
from validate.verdicts.significance import binomial_tail, exact_mcnemar

# Probability of chance below which a sign counts as one.
ALPHA: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """The symptoms of a measurement, as fractions of the images and in percentage points.

    Attributes:
        correct: share of correct best classes.
        worse: fewer are correct than the claim allows, by the binomial test.
        chance: what guessing would give, 1 / classes.
        favourite: share of the class that is answered most often; 0 where chance, or the number of
            its images, explains it.
        shifted: largest share of best classes that are one above, or one below, the label; 0 where
            chance explains it.
        relabelled: classes that are answered in exchange for one another; or None.
        names: of all classes, None if they have none.
        excess: measured minus claimed error in points; the largest of the claims concerned.
        images: the same as a number of images.
        differs: so many images differ not by chance, if all of them differ in this direction.
        beyond_chance: more are wrong than the claim allows, also on other images of the same kind.
        accuracy: a claim is what is right, and not what is wrong.
        is_ported: measured under `pil`, and claimed under the original's pipeline.
        run: how it was measured.
    """

    correct: float
    worse: bool
    chance: float
    favourite: float
    shifted: float
    relabelled: Relabelling | None
    names: Sequence[str] | None
    excess: float
    images: int
    differs: bool
    beyond_chance: bool
    accuracy: bool
    is_ported: bool
    run: MeasuredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A mistake and what it looks like.

    Attributes:
        applies: tells whether the symptoms are its.
        text: what it may be, and what to do.
    """

    applies: Callable[[Symptoms], bool]
    text: str | Callable[[Symptoms], str]


def _described(symptoms: Symptoms) -> str:
    assert symptoms.relabelled is not None
    return symptoms.relabelled.describe(symptoms.names)


def _too_few(symptoms: Symptoms) -> str:
    """Return how many images differ, where that does not tell why."""
    if not symptoms.images:
        return "the difference is less than one image: another number of images was claimed"
    side = "more" if symptoms.images > 0 else "fewer"
    count = abs(symptoms.images)
    verb = "is" if count == 1 else "are"
    return f"{number(count, 'image')} {side} {verb} wrong than claimed: too few to tell a cause"


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
    Cause(applies=lambda s: s.relabelled is not None, text=_described),
    Cause(
        applies=lambda s: s.shifted > 0.5 and s.names is None,
        text="most answers are one class beside the label: the labels count from one, or a class "
        "folder is missing or one too many",
    ),
    Cause(
        applies=lambda s: s.shifted > 0.5,
        text="most answers are one class beside the label: a class folder was renamed, is missing "
        "or is one too many, which changes the places of those after it",
    ),
    Cause(
        applies=lambda s: s.worse and s.correct < max(min(3 * s.chance, (1 + s.chance) / 2), 0.05),
        text="hardly more is right than by guessing: the labels are in another order (the "
        "devkit's ids are not the sorted order, numeric folders sort as strings), or this is "
        "another folder than meant",
    ),
    Cause(
        applies=lambda s: s.differs and s.is_ported and 0.2 <= s.excess <= 1.5,
        text="the pil pipeline is so much above what was printed as every known port: the pixels "
        "differ from the original's; --pipeline torch7 is equal to it in every bit",
    ),
    Cause(
        applies=lambda s: (
            s.run.precision in ("bf16", "fp16", "tf32") and (abs(s.excess) < 0.3 or not s.differs)
        ),
        text="the difference is of the size that a faster arithmetic makes: measure with "
        "--precision fp32, or see what it changes with --compare-precision",
    ),
    Cause(
        applies=lambda s: s.differs and 0 < s.excess <= 1.5,
        text="a little too much is wrong: pictures that were scaled or encoded anew before "
        "(compare file sizes with the original tar), or weights that were converted by other means",
    ),
    Cause(
        applies=lambda s: s.differs and s.beyond_chance and s.excess > 1.5,
        text="much too much is wrong, and not by chance: another preprocessing than the claim's (a "
        "square resize, another scale or crop, another mean), or other weights",
    ),
    Cause(
        applies=lambda s: s.differs and s.excess < 0,
        text="less is wrong than was printed: another set of images, pictures that the network was "
        "trained on, or other weights",
    ),
    Cause(applies=lambda _: True, text=_too_few),
)


def diagnose(
    run: MeasuredRun,
    answers: NDArray[np.int32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    failed: Sequence[Judgement],
    usual: Preprocessing,
    names: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Return the likely cause why claims do not hold; nothing if there are none of those.

    Args:
        run: how it was measured.
        answers: (N,) best classes of the N images that could be read.
        labels: (N,) their labels.
        classes: of the network.
        failed: the claims that do not hold; under another pipeline than theirs, those that would
            not.
        usual: the preprocessing that goes with the claims.
        names: of the classes, by label; None if they have none.
    """
    if not failed or not len(answers):
        return ()
    right, total = int((answers == labels).sum()), len(answers)
    claimed = _claimed_rate(failed)
    worst = max(failed, key=lambda each: abs(each.points))
    claimed_under = worst.claim.under(usual).pipeline
    symptoms = Symptoms(
        correct=right / total,
        worse=binomial_tail(total - right, total, claimed) < ALPHA,
        chance=1 / classes,
        favourite=_favourite(answers, labels),
        shifted=_shifted(answers, labels, claimed),
        relabelled=find_relabelling(answers, labels, classes=classes, rate=claimed, alpha=ALPHA),
        names=names,
        excess=float(worst.points),
        images=worst.excess,
        differs=exact_mcnemar(abs(worst.excess), 0) < ALPHA,
        beyond_chance=binomial_tail(worst.wrong, worst.images, _highest_rate(worst)) < ALPHA,
        accuracy=any(_is_accuracy(each) for each in failed),
        is_ported=run.pipeline is Pipeline.PIL and claimed_under is Pipeline.TORCH7,
        run=run,
    )
    cause = next(cause for cause in CAUSES if cause.applies(symptoms))
    return (cause.text if isinstance(cause.text, str) else cause.text(symptoms),)


def _favourite(answers: NDArray[np.int32], labels: NDArray[np.int64]) -> float:
    """Return the share of the class that is answered most often; 0 if its images are so many."""
    counts = np.bincount(answers)
    favourite = int(counts.argmax())
    share = float(counts[favourite] / len(answers))
    answered, own = answers == favourite, labels == favourite
    lost, gained = int((own & ~answered).sum()), int((answered & ~own).sum())
    surplus = share - float(own.mean())
    return share if surplus > 0.25 and exact_mcnemar(lost, gained) < ALPHA else 0.0


def _shifted(answers: NDArray[np.int32], labels: NDArray[np.int64], claimed: float) -> float:
    """Return the share of answers on one side of the label; 0 if the claim explains so many."""
    count = max(int((answers == labels + by).sum()) for by in (-1, 1))
    beyond = binomial_tail(count, len(answers), claimed) < ALPHA
    return count / len(answers) if beyond else 0.0


def _claimed_rate(failed: Sequence[Judgement]) -> float:
    """Return the share of images whose best class may be wrong; a half if no claim says it."""
    rates = [_highest_rate(each) for each in failed if each.claim.metric is Metric.TOP1_ERROR]
    return max(rates, default=0.5)


def _highest_rate(judged: Judgement) -> float:
    """Return the largest error rate that is printed as a claim's."""
    value = Fraction(judged.claim.value) + last_unit(judged.claim.value) / 2
    return min(float(value / 100), 1.0)


def _is_accuracy(judged: Judgement) -> bool:
    """Tell whether 100 minus the claim would hold, and is no error that one might mean."""
    value = Fraction(judged.claim.value)
    return value > 50 > judged.measured and (
        abs(100 - value - judged.measured) <= tolerance(judged.claim.value, judged.claim.tolerance)
    )
