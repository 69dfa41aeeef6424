from dataclasses import replace

import numpy as np
import pytest

from resnext.errors import DataError
from resnext.inference.metrics import Counts
from resnext.pixels.pipelines import Pipeline
from resnext.preprocessing import IMAGENET
from resnext.published import Claim, Metric
from validate import early_check
from validate.verdicts.claims import Judgement, judge
from validate.verdicts.diagnosis import diagnose
from validate.verdicts.results import MeasuredRun

CLASSES = 100
LABELS = np.repeat(np.arange(CLASSES), 100)
RUN = MeasuredRun(checkpoint="x", network="x", weights_sha256="0", preprocessing=IMAGENET)


def answers(wrong: float) -> np.ndarray:
    """Return answers of which a share is wrong, each by another class."""
    chance = np.random.default_rng(0)
    found = LABELS.copy()
    places = chance.permutation(len(found))[: round(wrong * len(found))]
    found[places] = (found[places] + chance.integers(10, 90, len(places))) % CLASSES
    return found


def judged(best: np.ndarray, claimed: str, labels: np.ndarray = LABELS) -> Judgement:
    right = int((best == labels).sum())
    claim = Claim(metric=Metric.TOP1_ERROR, value=claimed, images=len(labels), source="a README")
    counts = Counts(images=len(labels), top1_correct=right, top5_correct=right)
    return judge(claim, counts, complete=True)


# Classes 3 and 40, of whose hundred images sixty each are answered with the other.
SWAPPED = np.where((LABELS == 3) & (np.arange(len(LABELS)) % 10 < 6), 40, LABELS)
SWAPPED = np.where((LABELS == 40) & (np.arange(len(LABELS)) % 10 < 6), 3, SWAPPED)


@pytest.mark.parametrize(
    ("best", "changes", "words"),
    [
        (np.full(len(LABELS), 7), {}, "one class is answered for more than half"),
        (LABELS + 1, {}, "one class beside the label"),
        (np.maximum(LABELS - 1, 0), {}, "one class beside the label"),
        (np.random.default_rng(1).permutation(LABELS), {}, "labels are in another order"),
        (SWAPPED, {}, "their folders or labels are swapped"),
        (answers(0.207), {"pipeline": Pipeline.PIL}, "the pixels differ from the original's"),
        (answers(0.2017), {"precision": "bf16"}, "a faster arithmetic"),
        (answers(0.207), {}, "scaled or encoded anew"),
        (answers(0.30), {}, "another preprocessing"),
        (answers(0.18), {}, "less is wrong than was printed"),
    ],
    ids=[
        "one class",
        "above",
        "below",
        "shuffled",
        "swapped",
        "pil",
        "bf16",
        "some",
        "much",
        "better",
    ],
)
def test_known_mistake_is_recognised(
    best: np.ndarray, changes: dict[str, object], words: str
) -> None:
    run = replace(RUN, **changes)  # type: ignore[arg-type]
    failed = [judged(best, "20.00")]
    (found,) = diagnose(run, best.astype(np.int32), LABELS, classes=CLASSES, failed=failed)
    assert words in found


def test_class_that_is_taken_for_another_and_not_the_other_way_is_not_swapped() -> None:
    best = np.where((LABELS == 3) & (np.arange(len(LABELS)) % 10 < 6), 40, LABELS)
    failed = [judged(best, "20.00")]
    (found,) = diagnose(RUN, best.astype(np.int32), LABELS, classes=CLASSES, failed=failed)
    assert "swapped" not in found


@pytest.mark.parametrize(("each", "said"), [(9, False), (10, True)])
def test_classes_of_few_images_are_not_called_swapped(each: int, said: bool) -> None:
    labels = np.repeat(np.arange(CLASSES), each)
    best = np.where(labels == 3, 40, np.where(labels == 40, 3, labels))
    failed = [judged(best, "0.00", labels)]
    (found,) = diagnose(RUN, best.astype(np.int32), labels, classes=CLASSES, failed=failed)
    assert ("swapped" in found) is said


@pytest.mark.parametrize(
    ("classes", "right", "said"),
    [(2, 0.74, True), (2, 0.76, False), (3, 0.66, True), (3, 0.68, False)],
)
def test_few_classes_are_guessed_half_way_to_all_at_most(
    classes: int, right: float, said: bool
) -> None:
    labels = np.arange(3000) % classes
    best = np.where(np.arange(3000) < 3000 * right, labels, (labels + 1) % classes)
    failed = [judged(best, "5.00", labels)]
    (found,) = diagnose(RUN, best.astype(np.int32), labels, classes=classes, failed=failed)
    assert ("by guessing" in found) is said


@pytest.mark.parametrize(
    ("claimed", "recognised"), [("82.00", True), ("82.07", False), ("18.07", False)]
)
def test_claim_that_states_what_is_right_is_recognised(claimed: str, recognised: bool) -> None:
    best = answers(0.18)
    failed = [judged(best, claimed)]
    (found,) = diagnose(RUN, best.astype(np.int32), LABELS, classes=CLASSES, failed=failed)
    assert ("a claim states the error" in found) is recognised


PIL, BF16 = {"pipeline": Pipeline.PIL}, {"precision": "bf16"}
ONE_CLASS, BESIDE, GUESSES = "one class is answered", "one class beside", "by guessing"
SCALED, MUCH = "scaled or encoded anew", "another preprocessing"


def wrong(images: int, other: np.ndarray) -> np.ndarray:
    """Return answers of which so many images, evenly spread, get the classes of another array."""
    chosen = np.arange(len(LABELS)) * images % len(LABELS) < images
    return np.where(chosen, other, LABELS)


@pytest.mark.parametrize(
    ("best", "changes", "words"),
    [
        (answers(0.2019), PIL, SCALED),
        (answers(0.2020), PIL, "the pixels differ"),
        (answers(0.2150), PIL, "the pixels differ"),
        (answers(0.2151), PIL, MUCH),
        (answers(0.2029), BF16, "a faster arithmetic"),
        (answers(0.2030), BF16, SCALED),
        (answers(0.2150), {}, SCALED),
        (answers(0.2151), {}, MUCH),
        (wrong(5001, LABELS + 1), {}, BESIDE),
        (wrong(5000, LABELS + 1), {}, MUCH),
        (np.where(np.arange(10_000) < 5001, 7, LABELS), {}, ONE_CLASS),
        (np.where(np.arange(10_000) < 5000, 99, LABELS), {}, ONE_CLASS),
        (np.where(np.arange(10_000) < 5000, 7, LABELS), {}, MUCH),
        (answers(0.9501), {}, GUESSES),
        (answers(0.9500), {}, MUCH),
    ],
)
def test_causes_meet_where_they_are_said_to(
    best: np.ndarray, changes: dict[str, object], words: str
) -> None:
    run = replace(RUN, **changes)  # type: ignore[arg-type]
    failed = [judged(best, "20.00")]
    (found,) = diagnose(run, best.astype(np.int32), LABELS, classes=CLASSES, failed=failed)
    assert words in found


def test_claims_that_hold_need_no_diagnosis() -> None:
    assert diagnose(RUN, answers(0.2).astype(np.int32), LABELS, classes=CLASSES, failed=[]) == ()


@pytest.mark.parametrize(
    ("images", "right", "refused"),
    [(199, 0, False), (200, 9, True), (200, 10, False), (1000, 49, True), (1000, 50, False)],
)
def test_early_check_refuses_above_95_percent_error(images: int, right: int, refused: bool) -> None:
    counts = [
        ("fine", Counts(images=images, top1_correct=images)),
        ("x", Counts(images=images, top1_correct=right)),
    ]
    if not refused:
        early_check.check(counts, root="val")
        return
    with pytest.raises(DataError) as caught:
        early_check.check(counts, root="val")
    message = str(caught.value)
    assert message.startswith(f"val: x is wrong on {images - right} of the first {images} images")
    for cause in ("shifted", "devkit", "numeric folders", "another folder", "--no-canary"):
        assert cause in message


@pytest.mark.parametrize(("before", "due"), [(0, True), (1000, True), (1001, False)])
def test_early_check_is_made_in_the_first_rounds_however_large(before: int, due: bool) -> None:
    assert early_check.is_due(before) is due
