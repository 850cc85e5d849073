"""Fog: a plasma fractal over the image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.pixels import GUARD
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

WIBBLE = 100.0


def fog(images: NDArray[np.uint8], bits: Sequence[Bits], amount: float, decay: float) -> NDArray[np.uint8]:
    """``(x + amount * plasma) * max(x) / (max(x) + amount)``, x and the plasma in [0, 1].

    The plasma is as large as the next power of two of the long side; the image sees its upper left corner. All
    float32 arithmetic is single + - * of NumPy, which IEEE 754 defines to the last bit.
    """
    import cv2

    height, width = images.shape[1:3]
    side = 1 << max(1, (max(height, width) - 1).bit_length())
    planes = np.empty((3, height, width), np.uint8)
    level = np.empty((height, width), np.float32)
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        highest = int(image.max()) / 255
        share = highest / (highest + amount)
        heights = plasma(one, side, decay)
        low, high = float(heights.min()), float(heights.max())
        haze = heights[:height, :width] - np.float32(low)
        haze *= np.float32(255 * amount * share / (high - low))
        haze += np.float32(GUARD)
        for channel in range(3):
            np.multiply(image[..., channel], np.float32(share), out=level, dtype=np.float32)
            level += haze
            np.copyto(planes[channel], level, casting="unsafe")
        target[...] = cv2.merge(list(planes)).reshape(image.shape)
    return out


def plasma(bits: Bits, side: int, decay: float) -> NDArray[np.float32]:
    """Heights by diamond-square on a torus, (side, side), side a power of two and 2 at least.

    From a grid of one point at height 0 on, each step puts a point into the middle of every square, at the mean of
    its corners plus noise, then into the middle of every diamond so made: of the upper sides of the squares, then
    of the left ones. The noise is uniform within plus and minus ``wibble**2``, and the wibble, 100 at first, is
    divided by `decay` after each step. Words come in this order, row by row.
    """
    noise = bits.uint16(side * side - 1).astype(np.float32)
    noise *= np.float32(2)
    noise -= np.float32(65535)
    start = 0
    corners = np.zeros((1, 1), np.float32)
    for reach in reaches(side, decay):
        count = len(corners)
        drawn = noise[start : start + 3 * count * count].reshape(3, count, count) * reach
        start += 3 * count * count
        around = np.empty((count + 1, count + 1), np.float32)
        around[:-1, :-1] = corners
        around[-1, :-1], around[:, -1] = corners[0], around[:, 0]
        sums = around[:-1] + around[1:]
        middles = (sums[:, :-1] + sums[:, 1:]) * np.float32(0.25)
        middles += drawn[0]
        beside = np.empty_like(around)
        beside[1:, 1:] = middles
        beside[0, 1:], beside[:, 0] = middles[-1], beside[:, -1]
        finer = np.empty((2 * count, 2 * count), np.float32)
        finer[::2, ::2], finer[1::2, 1::2] = corners, middles
        for first, (inner, outer), place in (
            (drawn[1], (beside[:-1, 1:], around[:-1, 1:]), np.s_[::2, 1::2]),
            (drawn[2], (beside[1:, :-1], around[1:, :-1]), np.s_[1::2, ::2]),
        ):
            sums = middles + inner
            sums += corners + outer
            sums *= np.float32(0.25)
            sums += first
            finer[place] = sums
        corners = finer
    return corners


@lru_cache(maxsize=64)
def reaches(side: int, decay: float) -> list[np.float32]:
    """What a step's noise, odd whole numbers of up to 2**16, is multiplied by."""
    found, wibble = [], WIBBLE
    while side > 1:
        found.append(np.float32(wibble * wibble / 65536))
        side //= 2
        wibble /= decay
    return found


SHIFTS = (
    corruption(
        fog,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; the noise's amplitude is the wibble squared, as in the released code",
        keys=["amount", "decay"],
        tables={
            224: ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
            64: ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
            32: ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        },
    ),
)
