"""Five pictures of ice on a window, made by rule: what `frost_procedural` puts over an image.

Each is a haze of plasma with crystals grown on it: from a nucleus needles go out in six directions, and from each
needle barbs on both sides, shorter towards its tip. Light falls in from the upper left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.blur import kernel
from pytest_robust.shifts.filters import Separable
from pytest_robust.shifts.fog import plasma
from pytest_robust.shifts.rng import Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 512
"""Pixels of a picture's sides."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a picture looks: the grey of its haze, how far that varies, crystals, their size, the tint."""

    grey: int
    spread: int
    crystals: int
    longest: int
    tint: tuple[float, float, float]


_KINDS = (
    _Kind(95, 50, 90, 130, (0.72, 1.0, 1.12)),
    _Kind(165, 40, 420, 60, (0.97, 1.0, 1.04)),
    _Kind(140, 45, 190, 100, (0.95, 1.0, 1.05)),
    _Kind(110, 50, 420, 46, (0.92, 1.0, 1.08)),
    _Kind(80, 45, 150, 84, (0.86, 1.0, 1.12)),
)


@lru_cache(maxsize=1)
def pictures() -> tuple[NDArray[np.uint8], ...]:
    """The pictures, uint8 (SIDE, SIDE, 3), RGB, read-only; they wrap around at their edges."""
    return tuple(_picture(kind, Stream(0, "ice", {"picture": number}, "")) for number, kind in enumerate(_KINDS))


def _picture(kind: _Kind, bits: Stream) -> NDArray[np.uint8]:
    heights = plasma(bits, SIDE, 1.5)
    heights -= heights.min()
    haze = kind.grey + (heights / heights.max() - np.float32(0.5)) * np.float32(2 * kind.spread)
    ice = _crystals(kind, bits)
    soft = np.empty_like(ice)
    Separable(kernel(0.7), ice.shape)(ice, soft)
    # an edge that faces the light is brighter, one that turns away darker
    slope = soft.astype(np.int16) - np.roll(soft, (2, 2), (0, 1))
    lit = haze + soft * np.float32(0.5) + slope * np.float32(0.3)
    made: NDArray[np.uint8] = np.clip(lit[..., None] * np.asarray(kind.tint, np.float32), 0, 255).astype(np.uint8)
    made.setflags(write=False)
    return made


def _crystals(kind: _Kind, bits: Stream) -> NDArray[np.uint8]:
    """Needles and barbs, brightest at their roots, on black."""
    drawn = bits.uint16(kind.crystals * 16, lane=1).reshape(kind.crystals, 16).astype(np.int64)
    row, column, turn = drawn[:, 0] * SIDE >> 16, drawn[:, 1] * SIDE >> 16, drawn[:, 2]
    ice = np.zeros(SIDE * SIDE, np.uint8)
    for needle in range(6):
        one = drawn[:, 4 + needle]
        # the square of a uniform number: many short needles, few long ones; a third are missing
        length = 6 + (one * one * kind.longest >> 32)
        grown = drawn[:, 10 + needle] > 1 << 14
        heading = turn + (needle << 16) // 6 + (one & 0xFFF) - 2048
        light = 120 + (drawn[:, 10 + needle] * 135 >> 16)
        _lines(ice, row[grown], column[grown], heading[grown], length[grown], light[grown])
        for step in range(3, kind.longest, 3):
            there = grown & (length > step)
            y, x = _along(row[there], column[there], heading[there], step)
            barb = (length[there] - step) * 7 // 16 + 1
            for side in (-1, 1):
                _lines(ice, y, x, heading[there] + side * 10922, barb, light[there] * 13 // 16)
    return ice.reshape(SIDE, SIDE)


def _lines(
    ice: NDArray[np.uint8],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    heading: NDArray[np.int64],
    length: NDArray[np.int64],
    light: NDArray[np.int64],
) -> None:
    """Draw many lines at once, fading to half their light, where nothing brighter is."""
    step = np.arange(int(length.max(initial=0)))[:, None]
    y, x = _along(row, column, heading, step)
    bright = light * (2 * length - step) // (2 * length)
    there = length > step
    np.maximum.at(ice, (y % SIDE * SIDE + x % SIDE)[there], bright[there].astype(np.uint8))


def _along(
    row: NDArray[np.int64], column: NDArray[np.int64], heading: NDArray[np.int64], step: NDArray[np.int64] | int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels `step` pixels further on, headings in 65,536 parts of a turn."""
    down, right = _directions().take(heading & 0xFFFF, axis=1)
    return row + (step * down + (1 << 13) >> 14), column + (step * right + (1 << 13) >> 14)


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.int64]:
    """Sine and cosine of every heading, in multiples of 2**-14, (2, 65536)."""
    angle = np.arange(1 << 16) * (np.pi / (1 << 15))
    return np.asarray(np.rint(np.stack([np.sin(angle), np.cos(angle)]) * (1 << 14)), np.int64)
