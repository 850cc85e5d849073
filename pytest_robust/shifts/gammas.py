"""Random magnitudes whose p-th powers are Gamma distributed, by tables: what a uniform direction in Lp needs.

If u is Gamma(1/p), the values ``sign * u**(1/p)`` of a vector, divided by the vector's p-norm, are uniform on
the sphere of the p-norm (Calafiore, Dabbene & Tempo 1998). One random word gives sign and magnitude. The tails
are heavy where p is small: at p = 0.5 and a mean of 6, the four outermost of 32,768 magnitudes would lie 9 to 31
apart and end at 190, where the largest of 150,528 true values is some 216. So the 256 outermost words, the
largest 1/256 of the magnitudes, draw a second word from a table of that tail alone, in steps of 2**-24 of
probability: neighbours lie at most 0.14 apart but for the outermost 2**-16 of all values, and the largest
magnitude is 415.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.quantiles import SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

FINITE = (0.5, 1, 2, 5, 10, 50, 200)
"""The finite p that have tables: those of arXiv 2305.05400."""

MANTISSA = 18
"""Binary digits of a table's values: a last bit of the machine's gamma functions cannot reach them."""

POWER_BITS = 26
"""Fractional bits of the p-th powers, which are summed as whole numbers: exact in any order."""

TAIL = 128
"""How many words at either end of the 65,536 stand for the tail."""


@dataclass(frozen=True, slots=True)
class Table:
    """The magnitudes of one p; all arrays are read-only.

    Attributes:
        signed: word -> value, float32 (65536,), rising; unused at the tail's words.
        powers: word -> ``round(abs(value)**p * 2**POWER_BITS)``, uint32 (65536,), 0 at the tail's words.
        tail: second word -> magnitude, float32 (65536,), rising.
        tail_powers: its power, as `powers`.
    """

    signed: NDArray[np.float32]
    powers: NDArray[np.uint32]
    tail: NDArray[np.float32]
    tail_powers: NDArray[np.uint32]


def draw(bits: Bits, count: int, p: float) -> tuple[NDArray[np.float32], int]:
    """Independent values of density proportional to ``exp(-abs(v)**p)``, and the sum of their p-th powers.

    Args:
        bits: lane 0 gives a word per value, lane 1 one per value of the tail, in the values' order.
        count: how many values.
        p: one of `FINITE`.

    Returns:
        float32 (count,), and ``sum(abs(v)**p)`` times ``2**POWER_BITS``, exact.
    """
    table = magnitudes(p)
    words = bits.uint16(count)
    values = table.signed.take(words)
    (outer,) = np.nonzero(words + np.uint16(TAIL) < 2 * TAIL)
    second = bits.uint16(len(outer), lane=1)
    values[outer] = np.copysign(table.tail.take(second), values[outer])
    total = table.powers.take(words).sum(dtype=np.int64) + table.tail_powers.take(second).sum(dtype=np.int64)
    return values, int(total)


@lru_cache(maxsize=len(FINITE))
def magnitudes(p: float) -> Table:
    """The table of one p: entries at the middle of equally likely steps. Imports scipy."""
    from scipy.special import gammainccinv, gammaincinv

    half = SIZE // 2
    below = (np.arange(half - TAIL) + 0.5) / half
    gamma = gammaincinv(1 / p, below)
    # the incomplete gamma function's own limit at 0, which holds to the last bit where its inverse underflows
    body = np.where(gamma > 1e-30, gamma ** (1 / p), below * _factorial(1 / p))
    above = (1 - (np.arange(SIZE) + 0.5) / SIZE) * (TAIL / half)
    tail = _rounded(gammainccinv(1 / p, above) ** (1 / p))
    # an outermost word keeps its sign until its second word is drawn
    rising = np.concatenate([_rounded(body), np.ones(TAIL)])
    powers = _powers(rising, p) * (np.arange(half) < half - TAIL)
    arrays = (
        np.concatenate([-rising[::-1], rising]).astype(np.float32),
        np.concatenate([powers[::-1], powers]).astype(np.uint32),
        tail.astype(np.float32),
        _powers(tail, p).astype(np.uint32),
    )
    for array in arrays:
        array.setflags(write=False)
    return Table(*arrays)


def _factorial(x: float) -> float:
    from scipy.special import gamma

    return float(gamma(1 + x))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mantissa, exponent = np.frexp(values)
    rounded: NDArray[np.float64] = np.ldexp(np.rint(mantissa * (1 << MANTISSA)), exponent - MANTISSA)
    return rounded


def _powers(values: NDArray[np.float64], p: float) -> NDArray[Any]:
    """Whole multiples of ``2**-POWER_BITS``, by square root and multiplication, which no machine rounds differently."""
    if p < 1:
        power = np.sqrt(values)
    else:
        power, square, left = np.ones_like(values), values, int(p)
        while left:
            power = power * square if left & 1 else power
            square, left = square * square, left >> 1
    whole: NDArray[Any] = np.rint(power * (1 << POWER_BITS))
    return whole
