"""Glass blur: pixels shuffled within reach of each other, between two Gaussian blurs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.blur import kernel
from pytest_robust.shifts.filters import Separable
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def glass_blur(
    images: NDArray[np.uint8], bits: Sequence[Bits], sigma: float, reach: int, rounds: int
) -> NDArray[np.uint8]:
    """Blur by `sigma`, let every pixel become a random near one `rounds` times, blur again.

    Round by round, from the last pixel to the first, each pixel at ``reach + 1`` to ``side - reach`` takes the value
    that the pixel at an offset of ``-reach`` to ``reach - 1`` rows and columns has at that moment. That pixel keeps
    its value: the published code means to swap the two, and copies.
    """
    import cv2

    height, width = images.shape[1:3]
    blur = Separable(kernel(sigma), images.shape[1:])
    smooth = np.empty(images.shape[1:], np.uint8)
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        blur(image, smooth)
        pixels = cv2.cvtColor(smooth, cv2.COLOR_RGB2RGBA).view(np.uint32).reshape(-1)
        mixed = pixels.take(sources(one, height, width, reach, rounds)).view(np.uint8)
        blur(np.asarray(cv2.cvtColor(mixed.reshape(height, width, 4), cv2.COLOR_RGBA2RGB), np.uint8), target)
    return out


def sources(bits: Bits, height: int, width: int, reach: int, rounds: int) -> NDArray[np.int64]:
    """Which pixel each pixel's value comes from in the end: flat indices (height * width,).

    Round r draws from lane r, one word per pixel that moves, row by row.
    """
    every = np.arange(height * width)
    rows, columns = max(0, height - 2 * reach), max(0, width - 2 * reach)
    composed = every
    for lane in range(rounds):
        moves = offsets(reach, width).take(bits.uint16(rows * columns, lane=lane)).reshape(rows, columns)
        taken = every.copy()
        inner = np.s_[reach + 1 : reach + 1 + rows, reach + 1 : reach + 1 + columns]
        taken.reshape(height, width)[inner] += moves
        # A pixel that comes later in the image has had its turn and shows what it took itself: follow such pixels
        # to the last one. Doubling the steps each time, a chain of 2**k pixels takes k of them.
        last = np.where(taken > every, taken, every)
        while not np.array_equal(further := last.take(last), last):
            last = further
        composed = composed.take(taken.take(last))
    return composed


@lru_cache(maxsize=16)
def offsets(reach: int, width: int) -> NDArray[np.int64]:
    """Random word -> distance in a flat image, (65536,): all ``(2 reach)**2`` offsets, to 1/65536 equally often."""
    sides = 2 * reach
    choice = np.arange(1 << 16) * sides**2 >> 16
    return (choice // sides - reach) * width + choice % sides - reach


SHIFTS = (
    corruption(
        glass_blur,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; kernel in whole multiples of 2**-16",
        keys=["sigma", "reach", "rounds"],
        tables={
            224: ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
            64: ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
            32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        },
    ),
)
