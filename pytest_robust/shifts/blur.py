"""Blur: Gaussian."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.filters import ONE, Separable, whole
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def gaussian_blur(images: NDArray[np.uint8], bits: Sequence[Bits], sigma: float) -> NDArray[np.uint8]:
    """Gaussian filter as scipy's: `sigma` in pixels, cut at 4 sigma, edges repeated (mode "nearest")."""
    blur = Separable(kernel(sigma), images.shape[1:])
    out = np.empty(images.shape, np.uint8)
    for target, image in zip(out, images, strict=True):
        blur(image, target)
    return out


@lru_cache(maxsize=16)
def kernel(sigma: float) -> NDArray[np.int64]:
    """Integer weights, shape (2r + 1,) with r = int(4 sigma + 0.5), symmetric, summing to ``filters.ONE``.

    The exponential is rounded to whole weights, so that its last bit cannot be seen; the centre takes what
    rounding leaves over.
    """
    radius = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return whole(bell / bell.sum(), ONE, rest=radius)


SHIFTS = (
    corruption(
        gaussian_blur,
        suite="imagenet-c-extra",
        source=f"{IMAGENET_C}; kernel in whole multiples of 2**-16",
        keys=["sigma"],
        tables={224: (1, 2, 3, 4, 6), 64: (0.5, 0.75, 1, 1.25, 1.5), 32: (0.4, 0.6, 0.7, 0.8, 1)},
    ),
)
