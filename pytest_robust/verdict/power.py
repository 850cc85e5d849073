"""What a number of samples can and cannot show."""

from __future__ import annotations

import math
from typing import NamedTuple

from pytest_robust.verdict.intervals import tango_upper, upper_quantile

_ENDLESS = 10**9
"""More samples than this is no advice."""


class Decisive(NamedTuple):
    """The smallest evidence that reaches significance: `flips` lost and none won, a `drop` of flips/n."""

    flips: int
    drop: float


def decisive_flips(alpha: float) -> int:
    """The fewest negative flips without a positive one whose mid-p, 2^-(b + 1), is at most `alpha`.

    Raises:
        ValueError: `alpha` is not positive.
    """
    if alpha <= 0:
        raise ValueError(f"alpha {alpha} is not positive")
    flips = 1
    while 0.5 ** (flips + 1) > alpha:
        flips += 1
    return flips


def smallest_decisive(n: int, alpha: float) -> Decisive | None:
    """The smallest drop that could be significant on n samples; None where not even losing all of them is."""
    flips = decisive_flips(alpha)
    return Decisive(flips, flips / n) if flips <= n else None


def connor_n(drop: float, discordance: float, alpha: float, power: float = 0.8) -> float:
    """Samples at which the one-sided paired test finds a true drop with probability `power`.

    Source: Connor, Biometrics 43 (1987) 207-211.

    Args:
        drop: true drop in (0, discordance].
        discordance: share of samples that only one of the two classifiers has right, in (0, 1].
        alpha: level of the test, in (0, 0.5].
        power: in [0.5, 1).

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 < drop <= discordance <= 1:
        raise ValueError(f"a drop of {drop} at a discordance of {discordance} is not possible")
    first, second = upper_quantile(alpha), upper_quantile(1 - power)
    reach = first * math.sqrt(discordance) + second * math.sqrt(discordance - drop * drop)
    return (reach / drop) ** 2


def minimum_detectable_drop(n: int, discordance: float, alpha: float, power: float = 0.8) -> float | None:
    """The true drop that n samples find with probability `power`: Connor's formula solved for the drop.

    Returns:
        A drop in (0, discordance], or None where with that discordance no drop can be found.

    Raises:
        ValueError: an argument is out of its range.
    """
    if n < 0 or not 0 <= discordance <= 1:
        raise ValueError(f"{n} samples at a discordance of {discordance} are not possible")
    first, second = upper_quantile(alpha), upper_quantile(1 - power)
    room = n + second * second - first * first
    # Below first^2 samples the quadratic's root is one that squaring brought in.
    if n < first * first or n == 0 or discordance == 0:
        return None
    # sqrt(n) drop - first sqrt(discordance) = second sqrt(discordance - drop^2), squared: quadratic in drop.
    root = first * math.sqrt(n) + second * math.sqrt(room)
    drop = math.sqrt(discordance) * root / (n + second * second)
    return drop if drop <= discordance else None


def samples_to_decide(b: int, c: int, n: int, alpha: float, power: float = 0.8) -> int:
    """Samples at which the observed drop would be significant: Connor at the observed rates.

    Never fewer than the observed drop needs to lose `decisive_flips` on balance, where Connor's normal
    approximation of few flips promises too much.

    Raises:
        ValueError: nothing was lost on balance (b <= c), or an argument is out of its range.
    """
    lost = b - c
    if lost <= 0:
        raise ValueError(f"{b} lost and {c} won is no drop")
    connor = math.ceil(connor_n(lost / n, (b + c) / n, alpha, power))
    return max(connor, -(-decisive_flips(alpha) * n // lost))


def samples_to_prove(b: int, c: int, n: int, limit: float, alpha: float) -> int | None:
    """Samples at which the observed rates would put Tango's upper bound of the drop within `limit`.

    Returns:
        A number of samples; None where the observed drop is not below the limit, or so close to it that more
        than a thousand million would be needed.

    Raises:
        ValueError: an argument is out of its range.
    """
    if (b - c) / n >= limit:
        return None
    low, high = 0, n
    while tango_upper(b / n * high, c / n * high, high, alpha) > limit:
        low, high = high, 2 * high
        if high > _ENDLESS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if tango_upper(b / n * middle, c / n * middle, middle, alpha) > limit:
            low = middle
        else:
            high = middle
    return high
