from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import convert
from resnext.checkpoint import Checkpoint, Origin
from resnext.errors import PreprocessingError
from resnext.inference.metrics import Counts
from resnext.preprocessing import CIFAR10, IMAGENET, Pipeline, Preprocessing
from resnext.published import Claim, Metric, Row, published
from tests.support.golden import ROOT
from validate.verdicts.claims import Conditions, Verdict, assess, judge, tolerance, wilson_interval
from validate.verdicts.protocols import choose, unused

DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"
SMALL = Preprocessing(scale=36, crop=32, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


def top1(value: str, **changes: int) -> Claim:
    claim = Claim(metric=Metric.TOP1_ERROR, value=value, images=50000, source="a README")
    return replace(claim, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ("22.2", Fraction(15, 100)),
        ("24.01", Fraction(6, 100)),
        ("22", Fraction(105, 100)),
        ("22.20", Fraction(6, 100)),
    ],
)
def test_tolerance_is_a_unit_of_the_last_digit_and_a_twentieth(
    value: str, points: Fraction
) -> None:
    assert tolerance(value) == points


@pytest.mark.parametrize(
    ("value", "own", "points"),
    [
        ("22.2", Fraction(1, 2), Fraction(55, 100)),
        ("22", Fraction(0), Fraction(1, 2)),
        ("24.01", Fraction(0), Fraction(5, 1000)),
    ],
)
def test_tolerance_of_its_own_comes_on_top_of_rounding(
    value: str, own: Fraction, points: Fraction
) -> None:
    assert tolerance(value, own) == points


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [(11375, "reproduced"), (11376, "not reproduced"), (10825, "reproduced")],
)
def test_claim_with_a_tolerance_is_judged_by_it(wrong: int, verdict: str) -> None:
    """0.55 points of 50,000 images are 275."""
    counts = Counts(images=50000, top1_correct=50000 - wrong, top5_correct=50000)
    claim = replace(top1("22.2"), tolerance=Fraction(1, 2))
    assert judge(claim, counts, complete=True).verdict == verdict


# Of 50,000 images one point is 500, and so 0.15 points are 75 and 0.06 points 30. In binary
# floating point 22.35 - 22.2 is more than 0.15, and 24.07 - 24.01 less than 0.06.
@pytest.mark.parametrize(
    ("value", "wrong", "verdict"),
    [
        ("22.2", 11100, "reproduced"),
        ("22.2", 11175, "reproduced"),
        ("22.2", 11176, "not reproduced"),
        ("22.2", 11025, "reproduced"),
        ("22.2", 11024, "not reproduced"),
        ("24.01", 12035, "reproduced"),
        ("24.01", 12036, "not reproduced"),
    ],
)
def test_complete_set_gives_a_verdict_exact_to_the_image(
    value: str, wrong: int, verdict: str
) -> None:
    counts = Counts(images=50000, top1_correct=50000 - wrong, top5_correct=50000)
    judged = judge(top1(value), counts, complete=True)
    assert judged.verdict == verdict
    assert (judged.images, judged.wrong) == (50000, wrong)


def test_failed_claim_states_points_and_images() -> None:
    counts = Counts(images=50000, top1_correct=38550, top5_correct=50000)
    judged = judge(top1("22.2"), counts, complete=True)
    assert judged.measured == Fraction("22.9")
    assert judged.points == Fraction("0.7")
    assert judged.excess == 350


def test_top5_claim_is_judged_by_the_top5_count() -> None:
    claim = replace(top1("7.02"), metric=Metric.TOP5_ERROR)
    counts = Counts(images=50000, top1_correct=0, top5_correct=46490)
    assert judge(claim, counts, complete=True).verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("images", "complete"),
    [(49999, True), (50001, True), (50000, False)],
    ids=["fewer images", "more images", "not whole"],
)
def test_incomplete_set_gives_no_verdict(images: int, complete: bool) -> None:
    counts = Counts(images=images, top1_correct=images - 11100, top5_correct=images)
    assert judge(top1("22.2"), counts, complete=complete).verdict is Verdict.NO_VERDICT


# Source: R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("wrong", "images", "low", "high"),
    [
        (81, 263, 25.53, 36.62),
        (15, 148, 6.24, 16.05),
        (0, 20, 0.00, 16.11),
        (1, 29, 0.61, 17.18),
    ],
)
def test_wilson_interval_equals_newcombes_table(
    wrong: int, images: int, low: float, high: float
) -> None:
    assert [round(bound, 2) for bound in wilson_interval(wrong, images)] == [low, high]


@pytest.mark.parametrize("wrong", [0, 20])
def test_wilson_interval_of_an_extreme_stays_within_percent(wrong: int) -> None:
    low, high = wilson_interval(wrong, 20)
    assert 0 <= low < high <= 100


# The interval of 81 wrong of 263 is 25.53 to 36.62, that of 0 of 20 is 0 to 16.11.
@pytest.mark.parametrize(
    ("value", "wrong", "images", "holds"),
    [
        ("25.5", 81, 263, False),
        ("25.6", 81, 263, True),
        ("36.6", 81, 263, True),
        ("36.7", 81, 263, False),
        ("0.00", 0, 20, True),
        ("16.1", 0, 20, True),
        ("16.2", 0, 20, False),
    ],
)
def test_interval_holds_the_claims_between_its_bounds(
    value: str, wrong: int, images: int, holds: bool
) -> None:
    counts = Counts(images=images, top1_correct=images - wrong, top5_correct=images)
    assert judge(top1(value), counts, complete=True).holds is holds


def conditions(**changes: object) -> Conditions:
    usual = Conditions(preprocessing=IMAGENET, usual=IMAGENET)
    return replace(usual, **changes)  # type: ignore[arg-type]


COUNTS = Counts(images=50000, top1_correct=38900, top5_correct=45000)
LARGER = replace(IMAGENET, scale=360, crop=320)


@pytest.mark.parametrize(
    ("changes", "measured", "reason"),
    [
        ({"crops": 10}, {}, "10 crops"),
        ({"crop": 320}, {}, "crop 320"),
        ({"scale": 320}, {}, "scale 320"),
        ({"scale": 320, "crop": 320, "crops": 10}, {}, "10 crops, scale 320, crop 320"),
        ({}, {"crops": 10}, "1 crop"),
        ({}, {"preprocessing": IMAGENET.with_pipeline(Pipeline.PIL)}, "the torch7 pipeline"),
        ({}, {"preprocessing": LARGER}, "scale 256, crop 224"),
        ({"crop": 320}, {"preprocessing": replace(LARGER, crop=336)}, "crop 320"),
        ({"crop": 224}, {"preprocessing": replace(IMAGENET, scale=257)}, "scale 256"),
    ],
    ids=["ten", "crop", "scale", "all", "one", "pil", "overridden", "another crop", "usual crop"],
)
def test_claim_under_another_protocol_is_not_judged(
    changes: dict[str, int], measured: dict[str, object], reason: str
) -> None:
    judged, unjudged = assess([top1("22.2", **changes)], COUNTS, conditions(**measured))
    assert judged == ()
    assert [each.protocol for each in unjudged] == [reason]


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({}, {}),
        ({"crops": 10}, {"crops": 10}),
        ({"scale": 256, "crop": 224}, {}),
        ({"crop": 320}, {"preprocessing": LARGER}),
        ({"crop": 320}, {"preprocessing": replace(LARGER, scale=320)}),
    ],
    ids=["usual", "ten", "stated", "320", "320 without margin"],
)
def test_claim_under_its_own_protocol_is_judged(
    changes: dict[str, int], measured: dict[str, object]
) -> None:
    judged, unjudged = assess([top1("22.2", **changes)], COUNTS, conditions(**measured))
    assert [each.verdict for each in judged] == [Verdict.REPRODUCED]
    assert unjudged == ()


def test_claims_of_several_sources_are_judged_one_by_one() -> None:
    claims = [top1("22.2"), top1("22.9"), top1("22.2", crops=10)]
    judgements, unjudged = assess(claims, COUNTS, conditions())
    assert [each.verdict for each in judgements] == ["reproduced", "not reproduced"]
    assert len(unjudged) == 1


@pytest.fixture(scope="module")
def digits() -> Checkpoint:
    """Return the demo's network, without preprocessing and published name."""
    checkpoint = convert.load(DIGITS)
    assert checkpoint.provenance.published_name is None
    return replace(checkpoint, preprocessing=None, origin=None)


def named(checkpoint: Checkpoint, name: str) -> Checkpoint:
    return replace(checkpoint, provenance=replace(checkpoint.provenance, published_name=name))


def row(name: str, value: str = "22.2") -> Row:
    return Row(name=name, preprocessing=SMALL, claims=(top1(value),))


def test_row_may_pin_the_weights_that_its_claims_are_about(digits: Checkpoint) -> None:
    pinned = replace(row("mine"), weights_sha256="ab" * 32)
    path = Path("a/mine.safetensors")
    assert choose(digits, path, own=[pinned], published=[]).weights_sha256 == "ab" * 32
    assert choose(digits, path, own=[row("mine")], published=[]).weights_sha256 is None


def test_own_row_of_the_files_name_is_the_protocol(digits: Checkpoint) -> None:
    protocol = choose(digits, Path("a/mine.safetensors"), own=[row("mine")], published=[])
    assert (protocol.name, protocol.preprocessing) == ("mine", SMALL)
    assert [claim.value for claim in protocol.claims] == ["22.2"]
    assert protocol.note is None


def test_own_row_of_the_published_name_comes_before_the_files(digits: Checkpoint) -> None:
    protocol = choose(
        named(digits, "resnext_50_32x4d"),
        Path("mine.t7"),
        own=[row("mine", "1.1"), row("resnext_50_32x4d", "2.2")],
        published=[row("resnext_50_32x4d", "3.3")],
    )
    assert [claim.value for claim in protocol.claims] == ["2.2"]


def test_published_row_applies_by_the_published_name(digits: Checkpoint) -> None:
    protocol = choose(
        named(digits, "resnext_50_32x4d"),
        Path("renamed.safetensors"),
        own=[row("another")],
        published=[row("resnext_50_32x4d", "3.3")],
    )
    assert protocol.name == "resnext_50_32x4d"
    assert [claim.value for claim in protocol.claims] == ["3.3"]


def test_name_that_was_stated_is_judged_and_said_to_be_stated(digits: Checkpoint) -> None:
    known = named(digits, "resnext_50_32x4d")
    stated = replace(known, provenance=replace(known.provenance, stated=True))
    protocol = choose(
        stated, Path("x.safetensors"), own=[], published=[row("resnext_50_32x4d", "3.3")]
    )
    assert [claim.value for claim in protocol.claims] == ["3.3"]
    assert protocol.note is not None
    assert "it is resnext_50_32x4d as stated at its conversion, not as shown" in protocol.note


def test_published_row_applies_by_the_files_name_only_to_its_architecture(
    digits: Checkpoint,
) -> None:
    same = replace(row("resnext_50_32x4d"), spec=digits.spec)
    path = Path("a/resnext_50_32x4d.t7")
    protocol = choose(digits, path, own=[], published=[same])
    assert (protocol.name, protocol.claims) == ("resnext_50_32x4d", same.claims)
    assert protocol.note is not None
    assert "judged as the published resnext_50_32x4d by its file's name alone" in protocol.note
    other = replace(same, spec=replace(digits.spec, classes=11))
    tuned = replace(digits, preprocessing=SMALL, origin=Origin.GIVEN)
    assert choose(tuned, path, own=[], published=[other]).claims == ()


def test_assumed_preprocessing_is_used_and_said(digits: Checkpoint) -> None:
    assumed = replace(digits, preprocessing=CIFAR10, origin=Origin.ASSUMED)
    protocol = choose(assumed, Path("a/mine.t7"), own=[], published=[])
    assert protocol.preprocessing == CIFAR10
    assert protocol.note is not None
    assert protocol.note.startswith("a/mine.t7: preprocessing assumed from the network's shape, ")
    assert "crop 32, mean 125.3 123 113.9, std 63 62.1 66.7 (of pixels 0..255)" in protocol.note
    assert "'mine'" in protocol.note


def test_row_in_place_of_a_given_preprocessing_is_said(digits: Checkpoint) -> None:
    given = replace(digits, preprocessing=CIFAR10, origin=Origin.GIVEN)
    protocol = choose(given, Path("mine.t7"), own=[row("mine")], published=[])
    assert protocol.preprocessing == SMALL
    assert protocol.note is not None
    assert protocol.note.startswith("mine.t7: the row 'mine' sets the preprocessing, scale 36, ")
    assert "given at the conversion" in protocol.note


@pytest.mark.parametrize(
    ("preprocessing", "origin"),
    [(SMALL, Origin.GIVEN), (CIFAR10, Origin.ASSUMED), (None, None)],
    ids=["the same", "only assumed", "none"],
)
def test_row_that_overrides_nothing_given_needs_no_word(
    digits: Checkpoint, preprocessing: Preprocessing | None, origin: Origin | None
) -> None:
    checkpoint = replace(digits, preprocessing=preprocessing, origin=origin)
    assert choose(checkpoint, Path("mine.t7"), own=[row("mine")], published=[]).note is None


def test_unknown_preprocessing_says_what_to_do(digits: Checkpoint) -> None:
    with pytest.raises(PreprocessingError) as caught:
        choose(digits, Path("a/mine.t7"), own=[row("another")], published=[row("mine")])
    message = str(caught.value)
    assert message.startswith("a/mine.t7: ")
    assert "a row named 'mine' to --claims" in message
    assert "resnext-convert --preprocessing" in message


def test_rows_that_apply_to_nothing_are_found(digits: Checkpoint) -> None:
    own = [row("mine"), row("mien")]
    protocol = choose(digits, Path("mine.t7"), own=own, published=[])
    assert unused(own, [protocol]) == ("mien",)


def test_network_of_another_source_is_measured_as_that_source_did(digits: Checkpoint) -> None:
    provenance = replace(digits.provenance, published_name="resnext101_64x4d.tv_in1k")
    named = replace(digits, provenance=provenance)
    protocol = choose(named, Path("x.safetensors"), own=[], published=published())
    assert protocol.name == "resnext101_64x4d.tv_in1k"
    way = protocol.preprocessing
    assert (way.pixels, way.scale, way.crop) == ("pil", 232, 224)
    measured = conditions(preprocessing=way, usual=way)
    judgements, unjudged = assess(protocol.claims, COUNTS, measured)
    assert {each.claim.source for each in judgements} == {"torchvision resnet.py"}
    assert {(each.claim.source, each.protocol) for each in unjudged} == {
        ("timm results-imagenet.csv", "scale 256")
    }


def test_claim_is_judged_under_its_own_pipeline() -> None:
    claims = (top1("22.2"), replace(top1("22.2"), pipeline=Pipeline.PIL))
    for pipeline, judged, other in ((Pipeline.TORCH7, 0, 1), (Pipeline.PIL, 1, 0)):
        measured = conditions(preprocessing=IMAGENET.with_pipeline(pipeline))
        judgements, unjudged = assess(claims, COUNTS, measured)
        assert [each.claim for each in judgements] == [claims[judged]]
        assert [(each.claim, each.protocol) for each in unjudged] == [
            (claims[other], f"the {('torch7', 'pil')[other]} pipeline")
        ]
