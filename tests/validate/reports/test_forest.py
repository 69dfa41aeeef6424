"""The forest plot: its axis, and where measured errors and intervals stand."""

from dataclasses import replace

import pytest

from resnext.inference.metrics import Counts
from tests.support.sample_report import sample_report
from validate.reports.forest import axis_of, mark_of
from validate.verdicts.claim_groups import ClaimLine


def line(value: str, wrong: int, images: int) -> ClaimLine:
    first = sample_report().results[0]
    claim = replace(first.judgements[0].claim, value=value)
    counts = Counts(images=images, top1_correct=images - wrong, top5_correct=images)
    return ClaimLine(result=replace(first, counts=counts), metric=claim.metric, claim=claim)


def test_axis_has_round_ticks_around_what_it_shows() -> None:
    axis = axis_of([line("22.2", 11100, 50000), line("22.2", 11450, 50000)])
    assert axis is not None
    assert [tick.text for tick in axis.ticks] == ["0", "+0.5", "+1"]
    # From 21.84 to 23.27 (Wilson's intervals by hand: 22.2 -0.362 and 22.9 +0.370), and 6 % more.
    assert (round(axis.low, 2), round(axis.high, 2)) == (-0.45, 1.16)


def test_mark_stands_in_percent_of_the_axis() -> None:
    one = line("22.2", 11100, 50000)
    axis = axis_of([one])
    mark = mark_of(one, axis)
    assert mark is not None
    assert mark.at == mark.zero == pytest.approx(50, abs=0.5)
    assert mark.low == pytest.approx(5.4, abs=0.1)  # 0.06 / 1.12
    assert mark.band_high - mark.zero == pytest.approx(100 * 0.15 / (0.7283 * 1.12), abs=0.1)


def test_axis_without_claims_is_none() -> None:
    assert axis_of([replace(line("22.2", 1, 5), claim=None)]) is None
