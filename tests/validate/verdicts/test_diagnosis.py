from dataclasses import replace

import numpy as np
import pytest

from resnext.errors import DataError
from resnext.inference.metrics import Counts
from resnext.preprocessing import IMAGENET, Pipeline
from resnext.published import Claim, Metric
from validate.verdicts import early_check
from validate.verdicts.claims import Judgement, judge
from validate.verdicts.diagnosis import diagnose
from validate.verdicts.results import MeasuredRun

CLASSES = 100
LABELS = np.repeat(np.arange(CLASSES), 100)
PIL = {"preprocessing": IMAGENET.with_pipeline(Pipeline.PIL)}
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
        (answers(0.207), PIL, "the pixels differ from the original's"),
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
    (found,) = diagnose(
        run, best.astype(np.int32), LABELS, classes=CLASSES, usual=IMAGENET, failed=failed
    )
    assert words in found


def test_class_that_is_taken_for_another_and_not_the_other_way_is_not_swapped() -> None:
    best = np.where((LABELS == 3) & (np.arange(len(LABELS)) % 10 < 6), 40, LABELS)
    failed = [judged(best, "20.00")]
    (found,) = diagnose(
        RUN, best.astype(np.int32), LABELS, classes=CLASSES, usual=IMAGENET, failed=failed
    )
    assert "swapped" not in found


@pytest.mark.parametrize(("each", "said"), [(9, False), (10, True)])
def test_classes_of_few_images_are_not_called_swapped(each: int, said: bool) -> None:
    labels = np.repeat(np.arange(CLASSES), each)
    best = np.where(labels == 3, 40, np.where(labels == 40, 3, labels))
    failed = [judged(best, "0.00", labels)]
    (found,) = diagnose(
        RUN, best.astype(np.int32), labels, classes=CLASSES, usual=IMAGENET, failed=failed
    )
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
    (found,) = diagnose(
        RUN, best.astype(np.int32), labels, classes=classes, usual=IMAGENET, failed=failed
    )
    assert ("by guessing" in found) is said


@pytest.mark.parametrize(
    ("claimed", "recognised"), [("82.00", True), ("82.07", False), ("18.07", False)]
)
def test_claim_that_states_what_is_right_is_recognised(claimed: str, recognised: bool) -> None:
    best = answers(0.18)
    failed = [judged(best, claimed)]
    (found,) = diagnose(
        RUN, best.astype(np.int32), LABELS, classes=CLASSES, usual=IMAGENET, failed=failed
    )
    assert ("a claim states the error" in found) is recognised


BF16 = {"precision": "bf16"}
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
    (found,) = diagnose(
        run, best.astype(np.int32), LABELS, classes=CLASSES, usual=IMAGENET, failed=failed
    )
    assert words in found


def few(images: int, wrong: int, *, by: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return answers and labels of images of ten classes; the first answers are wrong."""
    labels = np.arange(images) % 10
    return np.where(np.arange(images) < wrong, (labels + by) % 10, labels), labels


@pytest.mark.parametrize(
    ("images", "wrong_images", "claimed", "changes", "words"),
    [
        (32, 1, "0.00", {}, "1 image more is wrong than claimed: too few to tell a cause"),
        (32, 2, "3.13", {}, "1 image more is wrong than claimed: too few to tell a cause"),
        (360, 22, "4.17", {}, "7 images more are wrong than claimed: too few to tell a cause"),
        # 2^-6 = 0.016 for seven images in one direction, 2^-7 = 0.008 for eight.
        (360, 23, "4.17", {}, "8 images more are wrong than claimed: too few to tell a cause"),
        # So many or more of 360 at 4.175 %: 0.0138 for 24 and 0.0069 for 25.
        (360, 24, "4.17", {}, "9 images more are wrong than claimed: too few to tell a cause"),
        (360, 25, "4.17", {}, MUCH),
        (360, 8, "4.17", {}, "7 images fewer are wrong than claimed: too few to tell a cause"),
        (360, 7, "4.17", {}, "less is wrong than was printed"),
        (1000, 57, "5.00", {}, "7 images more are wrong than claimed: too few to tell a cause"),
        (1000, 58, "5.00", {}, SCALED),
        (1000, 58, "5.00", PIL, "the pixels differ"),
        (1000, 57, "5.00", PIL, "7 images more are wrong than claimed: too few to tell a cause"),
        (32, 1, "0.00", BF16, "a faster arithmetic"),
        (100, 20, "20.5", {}, "the difference is less than one image"),
        # Both of two images on one side of the label, at 10.05 %: 0.0101; three: 0.0010.
        (2, 2, "10.0", {}, "2 images more are wrong than claimed: too few to tell a cause"),
        # One of three is right, where half are claimed: no more than bad luck.
        (3, 3, "50.0", {}, "2 images more are wrong than claimed: too few to tell a cause"),
    ],
)
def test_cause_is_named_only_beyond_chance(
    images: int, wrong_images: int, claimed: str, changes: dict[str, object], words: str
) -> None:
    best, labels = few(images, wrong_images)
    run = replace(RUN, **changes)  # type: ignore[arg-type]
    (found,) = diagnose(
        run,
        best.astype(np.int32),
        labels,
        classes=10,
        usual=IMAGENET,
        failed=[judged(best, claimed, labels)],
    )
    assert words in found


def test_claim_that_was_made_under_pil_does_not_blame_it() -> None:
    best, labels = few(1000, 58)
    failed = judged(best, "5.00", labels)
    failed = replace(failed, claim=replace(failed.claim, pipeline=Pipeline.PIL))
    run = replace(RUN, **PIL)
    (found,) = diagnose(
        run, best.astype(np.int32), labels, classes=10, usual=IMAGENET, failed=[failed]
    )
    assert SCALED in found


def test_class_that_really_has_most_images_is_no_favourite() -> None:
    labels = np.where(np.arange(1000) < 600, 0, np.arange(1000) % 10)
    best = np.where(np.arange(1000) < 700, 0, labels)
    failed = [judged(best, "1.00", labels)]
    (found,) = diagnose(
        RUN, best.astype(np.int32), labels, classes=10, usual=IMAGENET, failed=failed
    )
    assert ONE_CLASS not in found


NAMED = tuple(f"n{label:03}" for label in range(CLASSES))


@pytest.mark.parametrize(
    ("names", "words"),
    [(None, "the labels count from one"), (NAMED, "a class folder was renamed, is missing")],
)
def test_folders_beside_their_labels_do_not_count_from_one(
    names: tuple[str, ...] | None, words: str
) -> None:
    best = np.minimum(LABELS + 1, CLASSES - 1).astype(np.int32)
    failed = [judged(best, "20.00")]
    (found,) = diagnose(
        RUN, best, LABELS, classes=CLASSES, usual=IMAGENET, failed=failed, names=names
    )
    assert BESIDE in found
    assert words in found


def test_renamed_folder_is_named() -> None:
    """The folder of label 99 had the first name before."""
    best = ((LABELS + 1) % CLASSES).astype(np.int32)
    failed = [judged(best, "20.00")]
    (found,) = diagnose(
        RUN, best, LABELS, classes=CLASSES, usual=IMAGENET, failed=failed, names=NAMED
    )
    assert found.startswith(
        "most answers are one class beside the label, and those of 'n099' are 'n000': the folder "
        "of 'n099' seems to have been renamed"
    )


def test_claims_of_top_5_alone_allow_half_of_the_best_classes_to_be_wrong() -> None:
    best, labels = few(100, 55, by=1)
    failed = replace(judged(best, "40.0", labels).claim, metric=Metric.TOP5_ERROR)
    counts = Counts(images=100, top1_correct=45, top5_correct=45)
    judgement = judge(failed, counts, complete=True)
    (found,) = diagnose(
        RUN, best.astype(np.int32), labels, classes=10, usual=IMAGENET, failed=[judgement]
    )
    assert BESIDE not in found


def test_claims_that_hold_need_no_diagnosis() -> None:
    assert (
        diagnose(
            RUN, answers(0.2).astype(np.int32), LABELS, classes=CLASSES, usual=IMAGENET, failed=[]
        )
        == ()
    )


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
