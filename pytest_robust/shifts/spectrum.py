"""What the shifts share that work on Fourier spectra.

The transform is NumPy's in float64. Its last bits differ between machines, by some 1e-13 grey levels. Where a
result is rounded, whole and half levels, which flat and periodic images have exactly, are kept off the edge by
`NUDGE`; one of the 150,528 other values of a canvas lies that near to the edge once in some 30 million images.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUDGE = 1 / 1021
"""Added before rounding; no mean over a canvas has its distance to a level, unless a side is a multiple of 1021."""


def planes(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W, 3) to contiguous (3, H, W), in grey levels."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float64)


def canvas(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(3, H, W) in grey levels to the nearest uint8 (H, W, 3), clipped; halves go up."""
    rounded = np.clip(levels, 0, 255)
    rounded += 0.5 + NUDGE
    return rounded.astype(np.uint8).transpose(1, 2, 0)


@lru_cache(maxsize=64)
def squared_distance(height: int, width: int) -> NDArray[np.int64]:
    """Squared distance to frequency 0, in cycles per canvas, of a half spectrum: (H, W // 2 + 1)."""
    rows = np.arange(height, dtype=np.int64)
    rows = np.minimum(rows, height - rows)
    columns = np.arange(width // 2 + 1, dtype=np.int64)
    return rows[:, None] ** 2 + columns**2


@lru_cache(maxsize=64)
def disk(height: int, width: int, radius: float) -> NDArray[np.bool_]:
    """Which frequencies of a half spectrum lie within `radius` times the largest distance, (H, W // 2 + 1).

    The largest distance is that of the corner, ``hypot(H // 2, W // 2)`` cycles. The radius is taken as the decimal
    number that it is written as, so that a frequency on the edge is inside on every machine.
    """
    corner = (height // 2) ** 2 + (width // 2) ** 2
    limit = Fraction(repr(radius)) ** 2 * corner
    inside: NDArray[np.bool_] = squared_distance(height, width) <= limit.numerator // limit.denominator
    return inside


def filtered(levels: NDArray[np.float64], mask: NDArray[Any]) -> NDArray[np.float64]:
    """Planes (..., H, W) times a mask on their half spectrum."""
    return np.fft.irfft2(np.fft.rfft2(levels) * mask, s=levels.shape[-2:])
