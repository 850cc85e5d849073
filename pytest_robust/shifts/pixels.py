"""What the families share: the way back to uint8, random words for a batch, cache-sized parts of a batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

GUARD = 2.0**-10
"""Added, in grey levels, before truncation.

ImageNet-C truncates x * 255. A value that is mathematically a whole grey level (a flat region after a blur, a
pixel whose change is zero) then falls one level whenever rounding noise leaves it just under. The guard, far
above rounding noise and far below what an image holds, keeps it.
"""

FRACTION = 20
"""Fractional bits of fixed-point grey levels.

255 fits an int32 eight times over, and a factor's rounding, times 255, stays under an eighth of the guard.
"""

FIXED_GUARD = 1 << (FRACTION - 10)
"""`GUARD` in fixed point."""

_PART = 1 << 18


def to_uint8(images: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Floats, meant for [0, 1], to grey levels: clip, times 255, truncate with `GUARD`; any shape."""
    levels: NDArray[np.floating[Any]] = np.clip(images, 0, 1) * 255 + GUARD
    return levels.astype(np.uint8)


def fixed(values: NDArray[np.float64] | float) -> NDArray[np.int32]:
    """To fixed point with `FRACTION` bits, rounded to nearest; any shape."""
    whole: NDArray[np.float64] = np.rint(np.asarray(values) * (1 << FRACTION))
    return whole.astype(np.int32)


def words(bits: Sequence[Bits], shape: Sequence[int], *, lane: int = 0) -> NDArray[np.uint16]:
    """Sixteen random bits per value: uint16 (len(bits), *shape)."""
    drawn = np.empty((len(bits), math.prod(shape)), np.uint16)
    for row, one in zip(drawn, bits, strict=True):
        row[:] = one.uint16(row.size, lane=lane)
    return drawn.reshape(len(bits), *shape)


def parts(images: NDArray[np.uint8]) -> Iterator[slice]:
    """Cut a batch (N, ...) into runs of whole images whose working arrays stay in the processor's cache."""
    step = max(1, _PART // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield slice(start, start + step)


def each(images: NDArray[np.uint8], rule: Callable[[NDArray[np.uint8]], Any]) -> NDArray[np.uint8]:
    """Apply a rule (H, W, 3) -> (H, W, 3), grey levels that fit uint8, image by image."""
    out = np.empty(images.shape, np.uint8)
    for target, image in zip(out, images, strict=True):
        target[...] = rule(image)
    return out
