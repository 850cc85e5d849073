"""Confidence intervals of a proportion and of a paired difference of proportions."""

from __future__ import annotations

import math
from statistics import NormalDist

_STANDARD = NormalDist()


def upper_quantile(alpha: float) -> float:
    """The z that a standard normal variable exceeds with probability `alpha`.

    Raises:
        ValueError: `alpha` is not in (0, 0.5], where one-sided bounds and tests have a meaning.
    """
    if not 0 < alpha <= 0.5:
        raise ValueError(f"alpha {alpha} is not in (0, 0.5]")
    return -_STANDARD.inv_cdf(alpha)


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of k successes in n trials (Wilson 1927); (0, 1) for no trials.

    Raises:
        ValueError: `k` is not in 0..n or `confidence` is not in (0, 1).
    """
    _check(k, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z = upper_quantile((1 - confidence) / 2)
    share, square = k / n, z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # The formula meets 0 and 1 exactly; its rounding does not.
    return 0.0 if k == 0 else max(0.0, centre - half), 1.0 if k == n else min(1.0, centre + half)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of k successes in n trials: covers at least as often as it says.

    Raises:
        ValueError: `k` is not in 0..n or `confidence` is not in (0, 1).
    """
    _check(k, n, confidence)
    tail = (1 - confidence) / 2
    return 1 - clopper_pearson_upper(n - k, n, tail), clopper_pearson_upper(k, n, tail)


def clopper_pearson_upper(k: int, n: int, alpha: float) -> float:
    """One-sided Clopper-Pearson upper bound: the true rate is above it with probability at most `alpha`.

    Raises:
        ValueError: `k` is not in 0..n or `alpha` is not in (0, 1).
    """
    _check(k, n, 1 - alpha)
    if k == n:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(k + 1, n - k, 1 - alpha))


def tango(b: int, c: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Tango's score interval of the drop ``(b - c) / n`` between two paired proportions.

    Source: Tango, Statistics in Medicine 17 (1998) 891-908. Defined for every table, ``b = c = 0`` included.

    Args:
        b: samples that the first classifier has right and the second wrong.
        c: the reverse.
        n: all samples; (-1, 1) for none.
        confidence: two-sided, in (0, 1).

    Raises:
        ValueError: the counts are negative or exceed `n`, or `confidence` is out of range.
    """
    _check(b + c, n, confidence)
    tail = (1 - confidence) / 2
    return -tango_upper(c, b, n, tail), tango_upper(b, c, n, tail)


def tango_upper(b: float, c: float, n: float, alpha: float) -> float:
    """One-sided upper bound of the drop ``(b - c) / n``: Tango's score test, inverted.

    The true drop is above the bound with probability about `alpha`, so a bound within a margin is
    non-inferiority at that level. Counts may be fractional: rates carried over to another number of samples.

    Raises:
        ValueError: the counts are negative or exceed `n`, or `alpha` is not in (0, 0.5].
    """
    if min(b, c) < 0 or b + c > n * (1 + 1e-12):
        raise ValueError(f"{b} lost and {c} won of {n} samples is not a possible count")
    z = upper_quantile(alpha)
    low, high = ((b - c) / n if n else 1.0), 1.0
    # The score falls from 0 at the observed drop to minus infinity at 1. Bisection compares without dividing
    # by its standard deviation, which is 0 at both ends, and stops where two floats are neighbours.
    while low < (middle := (low + high) / 2) < high:
        if n * middle - (b - c) >= z * math.sqrt(n * _variance(b, c, n, middle)):
            high = middle
        else:
            low = middle
    return high


def _variance(b: float, c: float, n: float, drop: float) -> float:
    """Variance of one sample's paired difference, at the likeliest rates that have this true drop."""
    if drop < 0:
        b, c, drop = c, b, -drop
    linear = (2 * n - b + c) * drop - b - c
    constant = -c * drop * (1 - drop)
    root = math.sqrt(linear * linear - 8 * n * constant)
    # Two forms of the quadratic's upper root, each where it subtracts nothing.
    won = (root - linear) / (4 * n) if linear <= 0 else -2 * constant / (linear + root)
    return 2 * won + drop * (1 - drop)


def _check(k: int, n: int, confidence: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a possible count")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not in (0, 1)")
