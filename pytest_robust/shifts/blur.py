"""Blur: Gaussian."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.pixels import GUARD, each
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

WEIGHT_BITS = 16
"""A kernel's weights are integers that sum to 2**16.

The rows' pass then adds up to at most 255 * 2**16 < 2**24, which a float32 holds exactly, and the columns'
pass to less than 2**40, which a float64 holds exactly. Every partial sum is a whole number within those
bounds, so the order of the additions, fused multiply-adds and the instruction set cannot change the result:
OpenCV's speed with the same bytes everywhere.
"""


def gaussian_blur(images: NDArray[np.uint8], bits: Sequence[Bits], sigma: float) -> NDArray[np.uint8]:
    """Gaussian filter as scipy's: `sigma` in pixels, cut at 4 sigma, edges repeated (mode "nearest")."""
    import cv2

    weights = kernel(sigma)
    rows, one32 = weights.astype(np.float32), np.ones(1, np.float32)
    columns, one64 = weights.astype(np.float64), np.ones(1)

    def rule(image: NDArray[np.uint8]) -> NDArray[Any]:
        across = cv2.sepFilter2D(image, cv2.CV_32F, rows, one32, borderType=cv2.BORDER_REPLICATE)
        both = cv2.sepFilter2D(across, cv2.CV_64F, one64, columns, borderType=cv2.BORDER_REPLICATE)
        return both * 2.0 ** (-2 * WEIGHT_BITS) + GUARD

    return each(images, rule)


@lru_cache(maxsize=16)
def kernel(sigma: float) -> NDArray[np.int64]:
    """Integer weights, shape (2r + 1,) with r = int(4 sigma + 0.5), symmetric, summing to ``2**WEIGHT_BITS``.

    The exponential is rounded to whole weights, so that its last bit cannot be seen; the centre takes what
    rounding leaves over.
    """
    radius = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights: NDArray[np.int64] = np.rint(bell / bell.sum() * (1 << WEIGHT_BITS)).astype(np.int64)
    weights[radius] += (1 << WEIGHT_BITS) - weights.sum()
    return weights


SHIFTS = (
    corruption(
        gaussian_blur,
        suite="imagenet-c-extra",
        source=f"{IMAGENET_C}; kernel in whole multiples of 2**-16",
        keys=["sigma"],
        tables={224: (1, 2, 3, 4, 6), 64: (0.5, 0.75, 1, 1.25, 1.5), 32: (0.4, 0.6, 0.7, 0.8, 1)},
    ),
)
