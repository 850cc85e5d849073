"""Defocus blur: a disk."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.filters import Stencil, Work, framed, levels, whole
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

MOST = 64000
"""What a weight of 1 becomes, at most: at radius 8 a disk sums to 1.013, and 255 * 1.013 * 64000 is below 2**24."""


def defocus_blur(images: NDArray[np.uint8], bits: Sequence[Bits], radius: float, alias: float) -> NDArray[np.uint8]:
    """Filter by a disk of `radius` pixels, its edge smoothed by `alias`; outside, the image is mirrored."""
    import cv2

    dy, dx, weights, one = taps(radius, alias)
    stencil, work = Stencil(dy, dx, weights), Work(images.shape[1:])
    margin = int(np.abs(dy).max())
    out = np.empty(images.shape, np.uint8)
    for target, image in zip(out, images, strict=True):
        padded = framed(image, [margin] * 4, cv2.BORDER_REFLECT_101).astype(np.float32)
        levels(stencil(padded, margin, margin, work), one, target)
    return out


@lru_cache(maxsize=16)
def disk(radius: float, alias: float) -> NDArray[np.float64]:
    """The kernel, square with odd sides.

    Pixels within the radius, in equal shares, then a Gaussian of `alias` pixels over 3 x 3 of them, or 5 x 5 where
    the radius is above 8. It has no room beyond the square of the radius (17 x 17 up to radius 8) and is mirrored
    there without its edge: a disk that touches the square gains weight, and the image brightens by it. So does the
    published rule.
    """
    inside = _inside(radius)
    half = 1 if radius <= 8 else 2
    bell = np.exp(-0.5 * (np.arange(-half, half + 1) / alias) ** 2)
    kernel: NDArray[Any] = inside / inside.sum()
    for _ in range(2):
        mirrored = np.pad(kernel, ((half, half), (0, 0)), mode="reflect")
        kernel = sum(w * mirrored[i : i + len(inside)] for i, w in enumerate(bell / bell.sum())).T
    return kernel


def _inside(radius: float) -> NDArray[np.bool_]:
    reach = 8 if radius <= 8 else int(radius)
    across = np.arange(-reach, reach + 1)
    return np.asarray(across[:, None] ** 2 + across**2 <= radius**2)


@lru_cache(maxsize=16)
def taps(radius: float, alias: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Where the disk has weight, rows and columns, how much in whole numbers, and what 1 is in them.

    A multiple of the disk's pixels: so the equal shares are whole, and a mean that is a whole level stays one.
    """
    pixels = int(_inside(radius).sum())
    one = MOST // pixels * pixels
    weights = disk(radius, alias)
    found = whole(weights, one, rest=weights.size // 2)
    dy, dx = np.nonzero(found)
    centre = len(weights) // 2
    return dy - centre, dx - centre, found[dy, dx], one


SHIFTS = (
    corruption(
        defocus_blur,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; kernel in whole numbers",
        keys=["radius", "alias"],
        tables={
            224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
            32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        },
    ),
)
