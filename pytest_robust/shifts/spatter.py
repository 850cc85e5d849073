"""Spatter: drops of water or mud on the lens."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.blur import kernel
from pytest_robust.shifts.filters import ONE, framed
from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, fixed
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

WATER = (175, 238, 238)
"""Pale turquoise."""

MUD = (63, 42, 20)
"""Brown."""

UNIT = 1 << 16
"""Noise is whole multiples of 1 / UNIT."""

REACH, PIXEL = 20, 10000

OPAQUE = 0.8
"""Mud that covers less than this is none."""


def spatter(
    images: NDArray[np.uint8],
    bits: Sequence[Bits],
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: int,
) -> NDArray[np.uint8]:
    """Drops are where noise N(mean, std), smoothed by `sigma`, is not below `threshold`.

    Water adds pale turquoise, brightest towards the lower right edge of a drop, in the image's brightest spot
    `strength` of it. Mud covers the image by the drops' outline, smoothed by `strength` pixels.
    """
    liquid = Liquid(images.shape[1:3], mean, std, sigma)
    draw = _muddy if mud else _wet
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        target[...] = draw(image, liquid(one), threshold, strength)
    return out


class Liquid:
    """Makes smooth noise of one size."""

    def __init__(self, shape: Sequence[int], mean: float, std: float, sigma: float) -> None:
        self._shape = tuple(shape)
        self._sigma = sigma
        self._noise = noise(mean, std)

    def __call__(self, bits: Bits) -> NDArray[np.float64]:
        """The noise of one image, float64 (H, W)."""
        drawn = self._noise.take(bits.uint16(self._shape[0] * self._shape[1])).reshape(self._shape)
        return smooth(drawn, self._sigma) * (1 / UNIT)


def noise(mean: float, std: float) -> NDArray[np.float64]:
    """Word -> noise in whole multiples of 1 / UNIT, (65536,)."""
    return np.rint((mean + std * normal().astype(np.float64)) * UNIT)


def smooth(grid: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A grid of whole numbers below 2**20, smoothed, edges repeated: exact, whatever the order of the sums."""
    import cv2

    weights = kernel(sigma) / ONE
    return cv2.sepFilter2D(  # type: ignore[return-value]
        grid, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_REPLICATE
    ).reshape(grid.shape)


def _wet(image: NDArray[np.uint8], liquid: NDArray[np.float64], threshold: float, strength: float) -> NDArray[np.int32]:
    # noise above 1, very rare, starts again at 0: so does the published cast
    drops = np.where(liquid < threshold, 0, liquid * 255).astype(np.int64).astype(np.uint8)
    # whole numbers below 2**16 in every pixel
    gleam = drops.astype(np.int64) * _shaded(drops)
    added: NDArray[np.int64] = gleam * int(fixed(strength)) // max(1, int(gleam.max()))
    levels = image.astype(np.int32) << FRACTION
    for channel, colour in enumerate(WATER):
        levels[..., channel] += (added * colour).astype(np.int32)
    return _truncated(levels)


def _shaded(drops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How the drops shine: by the distance from their edges, equalised, and the slope of it towards the light."""
    import cv2

    height, width = drops.shape
    near = distances(cv2.Canny(drops, 50, 150) > 0)
    wider = framed(near, [1] * 4, cv2.BORDER_REFLECT_101)
    nine: Any = sum(wider[y : y + height, x : x + width] for y in range(3) for x in range(3))
    mean = (nine // (9 * PIXEL)).astype(np.uint8)
    lit = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
    shaded = cv2.filter2D(cv2.equalizeHist(mean), cv2.CV_8U, lit)
    return cv2.blur(shaded, (3, 3)).reshape(drops.shape)  # type: ignore[return-value]


def distances(edges: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How far the nearest edge lies, in steps of 1 along an axis, 1.4 diagonally and 2.1969 as a knight; 20 at most.

    OpenCV's distance by a 5 x 5 mask, whose floats differ between machines, in whole numbers. Of the edges in a row
    only the nearest along that row can be the nearest of all; so 20 rows either way are looked through.

    Returns:
        (H, W), in units of 1/10000 pixel.
    """
    height, width = edges.shape
    place = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(edges, place, np.int32(-REACH)), axis=1)
    after = np.minimum.accumulate(np.where(edges, place, np.int32(width + REACH))[:, ::-1], axis=1)[:, ::-1]
    across = np.minimum(np.minimum(place - before, after - place), REACH).astype(np.intp)
    found, cost = (np.full(edges.shape, REACH * PIXEL, np.int32) for _ in range(2))
    for down, row in enumerate(costs()[:height]):
        row.take(across, out=cost, mode="clip")
        for target, part in ((found[down:], cost[: height - down]), (found[: height - down], cost[down:])):
            np.minimum(target, part, out=target)
    return found


@lru_cache(maxsize=1)
def costs() -> NDArray[np.int32]:
    """Rows down, columns across -> the cheapest way there, (20, 21)."""
    down, across = np.indices((REACH, REACH + 1))
    short, long = np.minimum(down, across), np.maximum(down, across)
    knights = np.minimum(short, long - short)
    straight, diagonal = np.maximum(long - 2 * short, 0), np.maximum(2 * short - long, 0)
    cost = straight * PIXEL + diagonal * 14000 + knights * 21969
    return np.where(across == REACH, REACH * PIXEL, cost).astype(np.int32)


def _muddy(
    image: NDArray[np.uint8], liquid: NDArray[np.float64], threshold: float, strength: float
) -> NDArray[np.int32]:
    cover = smooth((liquid > threshold).astype(np.float64), strength)
    share = fixed(np.where(cover < OPAQUE, 0, cover))
    levels = np.empty(image.shape, np.int32)
    for channel, colour in enumerate(MUD):
        levels[..., channel] = image[..., channel] * ((1 << FRACTION) - share) + share * colour
    return _truncated(levels)


def _truncated(levels: NDArray[np.int32]) -> NDArray[np.int32]:
    levels += FIXED_GUARD
    levels >>= FRACTION
    return np.minimum(levels, 255, out=levels)


SHIFTS = (
    corruption(
        spatter,
        suite="imagenet-c-extra",
        source=f"{IMAGENET_C}; noise by a table of 65,536 quantiles, kernels in whole multiples of 2**-16",
        keys=["mean", "std", "sigma", "threshold", "strength", "mud"],
        tables={
            224: (
                (0.65, 0.3, 4, 0.69, 0.6, 0),
                (0.65, 0.3, 3, 0.68, 0.6, 0),
                (0.65, 0.3, 2, 0.68, 0.5, 0),
                (0.65, 0.3, 1, 0.65, 1.5, 1),
                (0.67, 0.4, 1, 0.65, 1.5, 1),
            ),
            64: (
                (0.62, 0.1, 0.7, 0.7, 0.6, 0),
                (0.65, 0.1, 0.8, 0.7, 0.6, 0),
                (0.65, 0.3, 1, 0.69, 0.6, 0),
                (0.65, 0.1, 0.7, 0.68, 0.6, 1),
                (0.65, 0.1, 0.5, 0.67, 0.6, 1),
            ),
            32: (
                (0.62, 0.1, 0.7, 0.7, 0.5, 0),
                (0.65, 0.1, 0.8, 0.7, 0.5, 0),
                (0.65, 0.3, 1, 0.69, 0.5, 0),
                (0.65, 0.1, 0.7, 0.69, 0.6, 1),
                (0.65, 0.1, 0.5, 0.68, 0.6, 1),
            ),
        },
    ),
)
