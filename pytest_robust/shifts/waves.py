"""Sine, arc tangent and power by tables: the same on every machine, and faster than the functions.

Angles are whole 65,536ths of a turn, so that they add without rounding and wrap in uint16. A table's entries are
rounded far above a machine's last bit, and what is done with them is IEEE addition and multiplication.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN = 1 << 16
"""A full turn."""

RADIAN = TURN / (2 * math.pi)
"""A radian, in parts of a turn."""

_GRID = 1 << 26
SLOTS = 1 << 16
MANTISSA = (1 << 52) - 1


@lru_cache(maxsize=1)
def sine() -> NDArray[np.float64]:
    """Angle -> sine, in whole multiples of 2**-26, shape (65536,); read-only."""
    quarter = np.rint(np.sin(np.arange(TURN // 4 + 1) / TURN * (2 * np.pi)) * _GRID) / _GRID
    half = np.concatenate([quarter, quarter[-2:0:-1]])
    return _kept(np.concatenate([half, -half]))


@lru_cache(maxsize=1)
def cosine() -> NDArray[np.float64]:
    """Angle -> cosine, as `sine`."""
    return _kept(np.roll(sine(), -TURN // 4))


def angle(values: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Angles in parts of a turn, any real below 2**31, to the nearest whole part, wrapped."""
    nearest: NDArray[np.floating[Any]] = np.rint(values)
    return nearest.astype(np.int32).astype(np.uint16)


def turns(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The angle of the points (y, x) as a share of a turn, -1/2 to 1/2, 0 along x; good to 1e-6.

    Follows ``arctan2(y, x) / 2 pi``; the origin has the angle 0.
    """
    high, wide = np.abs(y), np.abs(x)
    longer = np.maximum(high, wide)
    ratio = np.minimum(high, wide) / np.where(longer == 0, 1, longer)
    eighth = arc().take(np.rint(ratio * SLOTS).astype(np.intp))
    quarter = np.where(high > wide, 0.25 - eighth, eighth)
    return np.copysign(np.where(x < 0, 0.5 - quarter, quarter), y)


def power(values: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """``values**exponent`` for values from 2**-64 to 2**64 and exponents from -2 to 2, good to 2e-5 of it."""
    mantissas, scales = powers(exponent)
    patterns = np.ascontiguousarray(values).view(np.int64)
    result: NDArray[np.float64] = mantissas.take((patterns & MANTISSA) >> 36)
    result *= scales.take((patterns >> 52) - (1023 - REACH), mode="clip")
    return result


REACH = 64
"""How many powers of two `power` knows, up and down."""


@lru_cache(maxsize=1)
def arc() -> NDArray[np.float64]:
    """round(ratio * 65536) -> arc tangent of the ratio, in turns; 0 to 1/8."""
    whole = np.rint(np.arctan(np.arange(SLOTS + 1) / SLOTS) / (2 * np.pi) * _GRID)
    return _kept(whole / _GRID)


@lru_cache(maxsize=32)
def powers(exponent: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Powers of the 65,536 slots of [1, 2), at their middles, and of the powers of two within reach."""
    middles = 1 + (np.arange(SLOTS) + 0.5) / SLOTS
    mantissas = np.rint(middles**exponent * _GRID) / _GRID
    scales = np.exp2(np.arange(-REACH, REACH + 1) * exponent)
    head, tail = np.frexp(scales)
    return _kept(mantissas), _kept(np.ldexp(np.rint(head * _GRID) / _GRID, tail))


def _kept(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.setflags(write=False)
    return array
