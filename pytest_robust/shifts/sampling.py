"""Reading images between their pixels, in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.pixels import FRACTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 12
"""Positions are multiples of 2**-12 pixels: products of two weights have 24 bits, and times 255 fit 32."""


def bilinear(image: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.int32]:
    """The image at positions between its pixels; black outside.

    Args:
        image: uint8 (H, W, 3).
        rows: positions, 0 at the centre of the first pixel; with `columns` it broadcasts to (H', W').
        columns: the other coordinate.

    Returns:
        int32 (H', W', 3): grey levels in fixed point with `pixels.FRACTION` bits.
    """
    height, width = image.shape[:2]
    words = packed(image, 32)
    out = np.empty((*np.broadcast_shapes(rows.shape, columns.shape), 3), np.int32)
    step = max(1, _PART // out.shape[1])
    for start in range(0, len(out), step):
        here = slice(start, start + step)
        own_rows, own_columns = (axis if len(axis) == 1 else axis[here] for axis in np.atleast_2d(rows, columns))
        corners = _corners(_split(own_rows, height), _split(own_columns, width), width + 3)
        # two channels in one word: a lane of 32 bits each, which no sum overflows
        for word, channels in zip(words, ((0, 1), (2,)), strict=True):
            total = np.zeros(corners[0][0].shape, np.uint64)
            for index, weight in corners:
                total += word.take(index) * weight
            total >>= np.uint64(2 * BITS - FRACTION)
            for lane, channel in enumerate(channels):
                # the other lane's bits lie above these
                out[here, :, channel] = total >> np.uint64(32 * lane) & _LEVELS
    return out


_PART = 1 << 13
"""Positions that are worked on together: few enough for the processor's cache."""

_LEVELS = np.uint64((1 << (8 + FRACTION)) - 1)


def _split(positions: NDArray[np.float64], side: int) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """The index of the pixel before, in the framed image, and the weight of the one after, of 2**12."""
    steps = np.rint(np.clip(positions, -1, side) * (1 << BITS)).astype(np.intp)
    return (steps >> BITS) + 1, (steps & ((1 << BITS) - 1)).astype(np.uint64)


def _corners(
    vertical: tuple[NDArray[np.intp], NDArray[np.uint64]],
    horizontal: tuple[NDArray[np.intp], NDArray[np.uint64]],
    stride: int,
) -> list[tuple[NDArray[np.intp], NDArray[np.uint64]]]:
    """Of the four pixels about each position the place in a packed image and the weight."""
    (top, down), (left, right) = vertical, horizontal
    start, one = top * stride + left, np.uint64(1 << BITS)
    return [
        (start, (one - down) * (one - right)),
        (start + 1, (one - down) * right),
        (start + stride, down * (one - right)),
        (start + stride + 1, down * right),
    ]


def packed(image: NDArray[np.uint8], lane: int) -> tuple[NDArray[np.uint64], ...]:
    """The image framed in black, one pixel before and two behind, as many channels to a word as lanes fit.

    Args:
        image: uint8 (H, W, 3).
        lane: bits per channel.

    Returns:
        One flat array per word, uint64 ((H + 3) * (W + 3),), the first channel in the lowest bits.
    """
    height, width = image.shape[:2]
    each = 64 // lane
    words = np.zeros((-(-3 // each), height + 3, width + 3), np.uint64)
    for channel in range(3):
        inner = words[channel // each, 1 : height + 1, 1 : width + 1]
        inner |= np.multiply(image[..., channel], np.uint64(1 << channel % each * lane), dtype=np.uint64)
    return tuple(word.ravel() for word in words)
