"""Exact tests of whether a count differs from what was expected by more than chance."""

from collections.abc import Sequence
from fractions import Fraction
from math import exp, lgamma, log, log1p


def exact_mcnemar(lost: int, gained: int) -> float:
    """Return how probable a split at least so uneven is if both ways are equally likely.

    The two-sided binomial test, in whole numbers to the end. Source: Q. McNemar, Psychometrika 12
    (1947), page 153, in its exact form.

    Args:
        lost: images that only the first run decided correctly.
        gained: those that only the second did.
    """
    changed = lost + gained
    tail, ways = 0, 1  # sum of C(changed, k) up to the smaller, C(changed, k)
    for k in range(min(lost, gained) + 1):
        tail += ways
        ways = ways * (changed - k) // (k + 1)
    return float(min(Fraction(1), Fraction(2 * tail, 2**changed)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p values of several tests, adjusted so that all of them together keep the level.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979), page 65: the smallest of m is
    multiplied by m, the next by m - 1 and so on; none falls below one that was smaller before.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found, largest = [0.0] * len(p_values), 0.0
    for place, test in enumerate(order):
        largest = max(largest, min(1.0, p_values[test] * (len(p_values) - place)))
        found[test] = largest
    return tuple(found)


def binomial_tail(successes: int, trials: int, rate: float) -> float:
    """Return the probability of so many successes or more, in float arithmetic.

    Args:
        successes: any number; none or fewer are certain.
        trials: >= 0.
        rate: probability of a success, from 0 to 1.
    """
    if successes <= 0 or rate >= 1:
        return 1.0 if successes <= trials else 0.0
    if successes > trials or rate <= 0:
        return 0.0
    if successes <= trials * rate:  # the other tail is the shorter sum
        return 1 - binomial_tail(trials - successes + 1, trials, 1 - rate)
    ways = lgamma(trials + 1) - lgamma(successes + 1) - lgamma(trials - successes + 1)
    term = exp(ways + successes * log(rate) + (trials - successes) * log1p(-rate))
    total, odds = 0.0, rate / (1 - rate)
    for k in range(successes, trials + 1):
        total += term
        if term < total * 1e-17:
            break
        term *= (trials - k) / (k + 1) * odds
    return min(total, 1.0)
