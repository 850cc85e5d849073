"""Motion blur as ImageMagick's, which ImageNet-C was made with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.filters import ONE, Stencil, Work, framed, levels, whole
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


class Motion:
    """Blurs uint8 images of one shape, (H, W, 3) or (H, W), along a line; edges are repeated.

    The line has ``2 radius + 1`` pixels, from the pixel itself onwards to one side: step i has the weight
    ``exp(-i**2 / (2 sigma**2))``, over the sum of all, and lies ``ceil(i cos - 1/2)`` columns and
    ``ceil(i sin - 1/2)`` rows away.
    """

    def __init__(self, shape: Sequence[int], radius: int, sigma: float) -> None:
        """Take the images' shape, and the line's length and Gaussian in pixels."""
        self._steps, self._weights = line(radius, sigma)
        self._work = Work(shape)

    def __call__(self, image: NDArray[np.uint8], degrees: float, out: NDArray[np.uint8]) -> None:
        """Blur `image` into `out`, which may be the same array, along a line at `degrees` from the row, downwards."""
        import cv2

        dy, dx = offsets(self._steps, degrees)
        top, left = max(0, -int(dy.min())), max(0, -int(dx.min()))
        margins = top, max(0, int(dy.max())), left, max(0, int(dx.max()))
        padded = framed(image, margins, cv2.BORDER_REPLICATE).astype(np.float32)
        sums = Stencil(dy, dx, self._weights)(padded, top, left, self._work)
        levels(sums, ONE, out)


def line(radius: int, sigma: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps of a line, ``2 radius + 1`` of them, and their weights, whole numbers that sum to ``filters.ONE``."""
    steps = np.arange(2 * radius + 1)
    bell = np.exp(-0.5 * (steps / sigma) ** 2)
    return steps, whole(bell / bell.sum(), ONE, rest=0)


def offsets(steps: NDArray[np.int64], degrees: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many rows and columns away the steps of a line lie.

    An angle that is drawn, one of 65,536, is never so near to a multiple of a pixel and a half that the last bit of
    a sine could be seen.
    """
    angle = math.radians(degrees)
    dy, dx = (np.ceil(steps * part - 0.5).astype(np.int64) for part in (math.sin(angle), math.cos(angle)))
    return dy, dx


def motion_blur(images: NDArray[np.uint8], bits: Sequence[Bits], radius: int, sigma: float) -> NDArray[np.uint8]:
    """Blur along a line at an angle in -45..45 degrees."""
    blur = Motion(images.shape[1:], radius, sigma)
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        blur(image, Draws(one).uniform(-45, 45), target)
    return out


SHIFTS = (
    corruption(
        motion_blur,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; line and Gaussian as in ImageMagick 6, kernel in whole multiples of 2**-16",
        keys=["radius", "sigma"],
        tables={
            224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
            64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
            32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        },
    ),
)
