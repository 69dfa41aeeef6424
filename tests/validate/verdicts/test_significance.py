from fractions import Fraction
from math import comb

import pytest

from validate.verdicts.significance import binomial_tail, exact_mcnemar, holm


# Source of 0.125 and 0.0215: the binomial distribution's table, n = 4 and n = 10, p = 1/2.
@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 0, 1.0), (0, 1, 1.0), (4, 0, 0.125), (1, 9, 0.021484375), (5, 5, 1.0), (6, 5, 1.0)],
)
def test_exact_mcnemar_equals_the_table(lost: int, gained: int, p: float) -> None:
    assert exact_mcnemar(lost, gained) == p
    assert exact_mcnemar(gained, lost) == p


def test_exact_mcnemar_of_many_images_equals_the_plain_sum() -> None:
    tail = sum(comb(1500, k) for k in range(701))
    assert exact_mcnemar(700, 800) == 2 * tail / 2**1500


@pytest.mark.parametrize(
    ("successes", "trials", "rate"),
    [(1, 32, 0.04), (6, 20, 0.05), (3, 20, 0.5), (10, 10, 0.5), (0, 4, 0.5), (1, 1, 0.999)],
)
def test_binomial_tail_equals_the_plain_sum(successes: int, trials: int, rate: float) -> None:
    exact = sum(
        comb(trials, k) * Fraction(rate) ** k * (1 - Fraction(rate)) ** (trials - k)
        for k in range(successes, trials + 1)
    )
    assert binomial_tail(successes, trials, rate) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(
    ("successes", "trials", "rate", "p"),
    [(-1, 5, 0.0, 1.0), (1, 5, 0.0, 0.0), (5, 5, 1.0, 1.0), (6, 5, 1.0, 0.0), (6, 5, 0.5, 0.0)],
)
def test_binomial_tail_of_certain_outcomes(
    successes: int, trials: int, rate: float, p: float
) -> None:
    assert binomial_tail(successes, trials, rate) == p


def test_binomial_tail_of_a_whole_validation_set() -> None:
    """50,000 images at 22.25 %: the distribution's standard deviation is 93 images."""
    assert binomial_tail(11_125, 50_000, 0.2225) == pytest.approx(0.5, abs=0.01)
    # Five standard deviations: 2.87e-7 of the normal distribution, and a little more.
    assert binomial_tail(11_125 + 465, 50_000, 0.2225) == pytest.approx(3.2e-7, rel=0.2)
    assert binomial_tail(50_000, 50_000, 0.2225) == 0.0


def test_p_values_of_several_tests_are_adjusted_as_holm_does() -> None:
    """As `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` of R has it."""
    assert holm((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm(()) == ()
    assert holm((0.7, 0.7)) == (1, 1)
