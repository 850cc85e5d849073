"""Reading images between their pixels, in whole numbers, three channels at once.

An int64 holds a pixel as three lanes of 21 bits: 8 bits of grey level times weights that sum to 2**13. So one
multiplication weighs all channels, no lane runs over into the next, and the result is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BITS = 13
"""Positions are multiples of 2**-13 pixels, and the four weights of a position sum to 2**13."""

REST = 5
"""How many bits `halves` keeps of what lies below the grey level."""

_LANE = 21
_EACH = 1 | 1 << _LANE | 1 << 2 * _LANE
_LEVEL = _EACH * 0xFF
_REST = _EACH * ((1 << REST) - 1)
_CARRY = _EACH * ((1 << BITS) - 1)
_GUARD = _EACH * int(GUARD * (1 << BITS))


def pack(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """uint8 (H, W, 3) -> int64 (H, W), the first channel in the lowest lane."""
    packed = image[..., 2].astype(np.int64)
    for channel in (1, 0):
        packed <<= _LANE
        packed |= image[..., channel]
    return packed


def halves(total: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Interpolated lanes (H, W) as two packed images (2, H, W): grey levels, and `REST` bits of what lies below."""
    for one, shift, mask in zip(out, (BITS, BITS - REST), (_LEVEL, _REST), strict=True):
        np.right_shift(total, shift, out=one)
        one &= mask


def join(levels: NDArray[np.int64], rest: NDArray[np.int64]) -> None:
    """Add what was interpolated of the second half to what was interpolated of the first, in place."""
    rest >>= REST
    rest &= _CARRY
    levels += rest


def to_levels(total: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Interpolated lanes (H, W), used up, as uint8 (H, W, 3), truncated with `pixels.GUARD`."""
    total += _GUARD
    for channel, shift in enumerate((BITS, _LANE, _LANE)):
        total >>= shift
        np.copyto(out[..., channel], total, casting="unsafe")


class Sampler:
    """Bilinear interpolation at H x W positions, with the working arrays for it."""

    def __init__(self, height: int, width: int) -> None:
        """Make room for ``height x width`` positions."""
        self._totals = np.empty((2, height, width), np.int64)
        self._work = np.empty((6, height, width), np.int64)

    def __call__(
        self, sources: Sequence[NDArray[np.int64]], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Read packed images at the same positions.

        Args:
            sources: one or two images (H', W') of one size, made by `pack` or `halves`.
            rows: (H, W), multiples of ``2**-BITS`` pixels, 0 at the centre of the first pixel. At least one pixel of
                the source must come after every position.
            columns: the same along the rows.

        Returns:
            (sources, H, W), lanes of grey levels times ``2**BITS``; the next call overwrites them.
        """
        index, weights, read = self._work[0], self._work[1:5], self._work[5]
        stride = sources[0].shape[1]
        here, right, down, across = weights
        np.right_shift(rows, BITS, out=index)
        index *= stride
        np.right_shift(columns, BITS, out=read)
        index += read
        np.bitwise_and(rows, (1 << BITS) - 1, out=down)
        np.bitwise_and(columns, (1 << BITS) - 1, out=right)
        np.multiply(down, right, out=across)
        across >>= BITS
        np.subtract(1 << BITS, down, out=here)
        here -= right
        here += across
        right -= across
        down -= across
        for source, total in zip(sources, self._totals, strict=False):
            flat = source.reshape(-1)
            for offset, weight in zip((0, 1, stride, stride + 1), weights, strict=True):
                # the positions are inside; "clip" only spares the copy that take makes to be able to complain
                flat[offset:].take(index, out=read if offset else total, mode="clip")
                if offset:
                    read *= weight
                    total += read
                else:
                    total *= weight
        return self._totals[: len(sources)]
