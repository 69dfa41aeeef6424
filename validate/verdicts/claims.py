"""Counts to verdicts: does a printed number still hold? In exact arithmetic throughout."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import sqrt
from typing import Final

from resnext.inference.metrics import Counts
from resnext.preprocessing import Preprocessing
from resnext.published import UNKNOWN, Claim

# Points that a measurement may lie beyond the last printed digit of a claim.
SLACK: Final = Fraction(5, 100)
# Two-sided 95 % quantile of the normal distribution.
Z95: Final = Fraction("1.959963984540054")
# How a claim was measured that states no protocol.
NOT_KNOWN: Final = "a protocol that is not known well enough, or cannot be followed here"


class Verdict(StrEnum):
    """The result of comparing a measurement with a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    NO_VERDICT = "no verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A claim and what was measured.

    Attributes:
        claim: the printed number.
        images: how many were measured.
        wrong: of them, those decided wrongly by the claim's metric.
        verdict: none unless the images are the claim's own.
        reason: why there is none, where that is not the number of images or classes; else "".
    """

    claim: Claim
    images: int
    wrong: int
    verdict: Verdict
    reason: str = ""

    def doubted(self, reason: str) -> "Judgement":
        """Return the same without a verdict, for a reason."""
        return replace(self, verdict=Verdict.NO_VERDICT, reason=reason)

    @property
    def measured(self) -> Fraction:
        """Return the measured error, in percent."""
        return Fraction(100 * self.wrong, self.images)

    @property
    def points(self) -> Fraction:
        """Return measured minus claimed error, in percentage points."""
        return self.measured - Fraction(self.claim.value)

    @property
    def excess(self) -> int:
        """Return how many more images were wrong than claimed, rounded; may be negative."""
        return round(self.points * self.images / 100)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the measured error, in percent."""
        return wilson_interval(self.wrong, self.images)

    @property
    def holds(self) -> bool:
        """Tell whether the 95 % interval holds the claim.

        Wilson's interval is where the score test does not reject, which needs no square root:
        (measured - p)^2 <= z^2 p (1 - p) / n.
        """
        claimed = Fraction(self.claim.value) / 100
        distance = Fraction(self.wrong, self.images) - claimed
        return distance**2 <= Z95**2 * claimed * (1 - claimed) / self.images


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A claim that this measurement cannot say anything about.

    Attributes:
        claim: the printed number.
        protocol: how it was measured, where that differs, e.g. "10 crops"; or that it is not known.
    """

    claim: Claim
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a measurement was made, as far as a claim depends on it.

    Attributes:
        preprocessing: what the images went through, and whose arithmetic did that.
        usual: the preprocessing that goes with the network's claims.
        crops: 1 or 10.
        complete: every image of the set was measured, and it has every class of the network.
    """

    preprocessing: Preprocessing
    usual: Preprocessing
    crops: int = 1
    complete: bool = True


def assess(
    claims: Iterable[Claim], counts: Counts, conditions: Conditions
) -> tuple[tuple[Judgement, ...], tuple[Unjudged, ...]]:
    """Judge the claims that were made under the measurement's protocol; return the others too.

    Args:
        claims: of one network.
        counts: what it got right, of one image or more.
        conditions: how that was measured.
    """
    judgements, unjudged = [], []
    for claim in claims:
        if protocol := _other_protocol(claim, conditions):
            unjudged.append(Unjudged(claim=claim, protocol=protocol))
        else:
            judgements.append(judge(claim, counts, complete=conditions.complete))
    return tuple(judgements), tuple(unjudged)


def judge(claim: Claim, counts: Counts, *, complete: bool) -> Judgement:
    """Compare a claim with what was counted under its protocol.

    There is a verdict if the set is complete and has as many images as the claim; then the claim is
    reproduced if it lies within its `tolerance`.
    """
    wrong = counts.images - counts.correct(claim.metric)
    error = Fraction(100 * wrong, counts.images)
    if counts.images != claim.images or not complete:
        verdict = Verdict.NO_VERDICT
    elif abs(error - Fraction(claim.value)) <= tolerance(claim.value, claim.tolerance):
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.NOT_REPRODUCED
    return Judgement(claim=claim, images=counts.images, wrong=wrong, verdict=verdict)


def tolerance(value: str, own: Fraction | None = None) -> Fraction:
    """Return how far, in points, a measurement may lie from a printed percentage.

    One unit of its last digit, and `SLACK`: 0.15 for "22.2", 0.06 for "24.01". For a claim with a
    tolerance of its own, half a unit, which is what rounding may change, and that.

    Args:
        value: as printed.
        own: the claim's own tolerance in points, >= 0; or None.
    """
    unit = last_unit(value)
    return unit + SLACK if own is None else unit / 2 + own


def last_unit(value: str) -> Fraction:
    """Return the unit of the last digit of a printed number: 0.1 for "22.2"."""
    exponent = Decimal(value).as_tuple().exponent
    assert isinstance(exponent, int)  # tables hold no "NaN"
    return Fraction(10) ** exponent


def wilson_interval(wrong: int, images: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion, in percent.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927), page 209:
    (p + z^2/2n +- z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n).

    Args:
        wrong: 0 <= wrong <= images.
        images: >= 1.
    """
    z2 = float(Z95**2)
    p = wrong / images
    centre = p + z2 / (2 * images)
    half = sqrt(z2 * p * (1 - p) / images + (z2 / (2 * images)) ** 2)
    scale = 100 / (1 + z2 / images)
    return max(0.0, (centre - half) * scale), min(100.0, (centre + half) * scale)


def _normalised(preprocessing: Preprocessing) -> str:
    """Return mean and std in words, whatever their unit in the one where white is 1."""
    mean, std = (
        " ".join(f"{value / preprocessing.white:g}" for value in row)
        for row in (preprocessing.mean, preprocessing.std)
    )
    return f"mean {mean}, std {std} (of pixels 0..1)"


def _other_protocol(claim: Claim, conditions: Conditions) -> str | None:
    """Return how a claim's protocol differs from the measurement's; None if it does not.

    A claim of another crop than usual that states no scale, as fb.resnet.torch's of 320 pixels, was
    printed without it: any scale will do.
    """
    if claim.protocol == UNKNOWN:
        return NOT_KNOWN
    own, usual = conditions.preprocessing, claim.under(conditions.usual)
    crop = claim.crop or usual.crop
    scale = claim.scale or (usual.scale if crop == usual.crop else own.scale)
    sides = (
        (own.pipeline == usual.pipeline, f"the {usual.pixels} pipeline"),
        (
            own.pipeline != usual.pipeline or own.interpolation == usual.interpolation,
            f"{usual.interpolation} interpolation",
        ),
        (claim.crops == conditions.crops, f"{claim.crops} crop{'s' * (claim.crops > 1)}"),
        (scale == own.scale, f"scale {scale or 'none'}"),
        (crop == own.crop, f"crop {crop}"),
        (_normalised(own) == _normalised(usual), _normalised(usual)),
    )
    return ", ".join(text for same, text in sides if not same) or None
