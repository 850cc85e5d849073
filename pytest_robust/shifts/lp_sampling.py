"""Uniform noise in Lp balls and on their hulls, before it meets an image.

Every step that could hang on a machine's last bit is done otherwise: values come from tables, sums of powers
are whole numbers, and the one root and the one logarithm of an image are decimal arithmetic with correct
rounding. What remains per value is one multiplication.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_robust.shifts.gammas import POWER_BITS, draw
from pytest_robust.shifts.quantiles import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

Inside = Literal["ball", "hull"]

_EXACT = Context(prec=28)

_ENOUGH = 1 << (POWER_BITS - 4)
"""A smaller sum of powers is too coarse a number: large p on a canvas of a few pixels."""


def lp_noise(bits: Bits, count: int, p: float, epsilon: float, inside: Inside) -> NDArray[np.float32]:
    """Noise of one image, not yet clipped or rounded.

    Args:
        bits: the image's random bits; lane 0 and 1 for the direction, lane 2 for the radius.
        count: how many values, the d of the radius's law ``U**(1/d)``.
        p: 0.5, 1, 2, 5, 10, 50, 200 or ``math.inf``.
        epsilon: the ball's radius, in units in which white is 1.
        inside: `ball`, uniform inside it, or `hull`, uniform on its surface (for infinite p on its corners, as
            in arXiv 2305.05400).

    Returns:
        float32 (count,), in the units of `epsilon`; on the hull the p-norm is `epsilon` to 1e-6 of it.
    """
    if p == math.inf:
        words = bits.uint16(count)
        if inside == "hull":
            return np.where(words < SIZE // 2, np.float32(-epsilon), np.float32(epsilon))
        return (words.astype(np.float32) - np.float32((SIZE - 1) / 2)) * np.float32(epsilon / (SIZE // 2))
    values, total = draw(bits, count, p)
    values *= scale(bits, lambda: values, count, total, p, epsilon, inside)
    return values


def scale(
    bits: Bits,
    values: Callable[[], NDArray[np.float32]],
    count: int,
    total: int,
    p: float,
    epsilon: float,
    inside: Inside,
) -> np.float32:
    """What the `count` values of `gammas.draw`, whose p-th powers sum to `total`, are multiplied by to become noise.

    The values themselves are only asked for where the sum is too coarse.
    """
    found = _EXACT.divide(Decimal(epsilon), _norm(values, total, p))
    if inside == "ball":
        found = _EXACT.multiply(found, radius(bits, count))
    return np.float32(found)


def radius(bits: Bits, count: int) -> Decimal:
    """``U**(1/count)``, the distance from the centre of a point uniform in a ball of `count` dimensions."""
    high, low = bits.uint16(2, lane=2).tolist()
    uniform = _EXACT.divide(Decimal(high * SIZE + low) + Decimal("0.5"), Decimal(SIZE * SIZE))
    return _EXACT.exp(_EXACT.divide(_EXACT.ln(uniform), Decimal(count)))


def _norm(values: Callable[[], NDArray[np.float32]], total: int, p: float) -> Decimal:
    exponent = Decimal(p)
    if total >= _ENOUGH:
        power = _EXACT.divide(Decimal(total), Decimal(1 << POWER_BITS))
    else:
        power = Decimal(0)
        for value in np.abs(values()).tolist():
            power = _EXACT.add(power, _EXACT.exp(_EXACT.multiply(exponent, _EXACT.ln(Decimal(value)))))
    return _EXACT.exp(_EXACT.divide(_EXACT.ln(power), exponent))


def chosen(bits: Bits, count: int, share: float) -> NDArray[np.intp]:
    """``round(share * count)`` distinct positions of `count`, each set equally likely, rising.

    Every position draws a word from lane 0 and the lowest words win; where the last place is tied, 64 bits of
    lane 1 decide.
    """
    wanted = round(share * count)
    if wanted == 0:
        return np.empty(0, np.intp)
    words = bits.uint16(count)
    last = np.partition(words, wanted - 1)[wanted - 1]
    (below,) = np.nonzero(words < last)
    (tied,) = np.nonzero(words == last)
    lots = bits.uint16(4 * len(tied), lane=1).astype("<u2").view("<u8")
    return np.sort(np.concatenate([below, tied[np.argsort(lots, kind="stable")[: wanted - len(below)]]]))
