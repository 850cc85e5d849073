"""Elastic transform: a random affine map, then random smooth displacements."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.filters import framed
from pytest_robust.shifts.lanes import BITS, Sampler, halves, join, pack, to_levels
from pytest_robust.shifts.pixels import words
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

WEIGHT_BITS = 18
ONE = 1 << WEIGHT_BITS
"""A kernel's weights sum to 2**18, but for rounding: twice that and a random word stay within a float64's 53 bits."""

LONG = 24
"""Kernels of a larger radius are applied as matrices, which takes no longer the larger they are."""


def elastic_transform(
    images: NDArray[np.uint8], bits: Sequence[Bits], alpha: float, sigma: float, affine: float
) -> NDArray[np.uint8]:
    """Map three points elsewhere, and the image with them, then displace every pixel.

    The points lie a third of the short side around the centre and move by up to `affine` pixels along both axes;
    outside, the image is mirrored without its edge. The displacements are uniform noise in -1..1, smoothed by
    `sigma` pixels and multiplied by `alpha`; outside, the image is mirrored with its edge.
    """
    height, width = images.shape[1:3]
    sampler = Sampler(height, width)
    field = _Field(height, width, alpha, sigma) if alpha else None
    places = np.empty((2, height, width), np.int64)
    parts = np.empty((2, height, width), np.int64)
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        packed = _mapped(image, Draws(one), affine, places)
        (total,) = sampler([packed], *places)
        if field is not None:
            halves(total, parts)
            total, rest = sampler(list(field.displace(parts, one, places)), *places)
            join(total, rest)
        to_levels(total, target)
    return out


def _mapped(image: NDArray[np.uint8], draws: Draws, affine: float, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The packed image with the margins that the affine map needs; fills in where every pixel comes from."""
    import cv2

    height, width = image.shape[:2]
    across, down = backwards(height, width, [draws.uniform(-affine, affine) for _ in range(6)])
    margins: list[int] = []
    for place, (by_column, by_row, start), side in zip(places, (down, across), (height, width), strict=True):
        along = np.rint(np.arange(width) * (by_column * (1 << BITS))).astype(np.int64)
        from_row = np.rint((np.arange(height) * by_row + start) * (1 << BITS)).astype(np.int64)
        np.add(along, from_row[:, None], out=place)
        low, high = int(place.min()) >> BITS, int(place.max()) >> BITS
        if low < -2 * side or high > 2 * side:
            # mirrored without its edge an image repeats itself: no margin need be wider
            place %= max(1, 2 * (side - 1)) << BITS
            low, high = 0, 2 * side
        before = max(0, -low)
        margins += [before, max(0, high + 2 - side)]
        place += before << BITS
    return pack(framed(image, margins, cv2.BORDER_REFLECT_101))


def backwards(
    height: int, width: int, moves: Sequence[float]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Where the affine map takes a pixel from, ``x' = a x + b y + c`` and the same for y', by Cramer's rule.

    Args:
        height: rows of the image.
        width: columns.
        moves: how far the three points move: x and y of the first, of the second, of the third.

    Returns:
        (a, b, c) of x' and of y'; zeros if the moved points lie on one line.
    """
    third = min(height, width) // 3
    x, y = width // 2, height // 2
    points = [(x + third, y + third), (x + third, y - third), (x - third, y - third)]
    (x0, y0), (x1, y1), (x2, y2) = [
        (p + right, q + down) for (p, q), right, down in zip(points, moves[::2], moves[1::2], strict=True)
    ]
    scale = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    rows = []
    for axis in (0, 1):
        u0, u1, u2 = (float(point[axis]) for point in points)
        if scale == 0:
            rows.append((0.0, 0.0, 0.0))
            continue
        a = ((u1 - u0) * (y2 - y0) - (u2 - u0) * (y1 - y0)) / scale
        b = ((u2 - u0) * (x1 - x0) - (u1 - u0) * (x2 - x0)) / scale
        rows.append((a, b, u0 - a * x0 - b * y0))
    return rows[0], rows[1]


class _Field:
    """Smooth random displacements for images of one size."""

    def __init__(self, height: int, width: int, alpha: float, sigma: float) -> None:
        self._shape = (height, width)
        weights = bell(sigma)
        radius = len(weights) // 2
        self._kernel = np.rint(weights * ONE)
        self._matrices = None
        if radius > LONG:
            self._matrices = matrix(height, sigma), matrix(width, sigma)
        # words are odd multiples of 2**-16; to steps of 2**-BITS pixels
        self._scale = alpha * 2.0 ** (BITS - 16 - 2 * WEIGHT_BITS)
        self._noise = np.empty((height, width))
        self._moves = np.empty((2, height, width))
        self._frames = np.empty((2, 0, 0), np.int64)

    def displace(self, images: NDArray[np.int64], bits: Bits, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Two packed images (2, H, W) with margins; fills in where every pixel comes from, rows then columns."""
        height, width = self._shape
        for moves, drawn in zip(self._moves, words([bits], (2, height, width), lane=1)[0], strict=True):
            np.multiply(drawn, 2.0, out=self._noise)
            self._noise -= 65535
            self._smooth(moves)
            moves *= self._scale
            np.rint(moves, out=moves)
        # in steps of 16 pixels, so that the frames of most images are of one size
        far = (int(max(-self._moves.min(), self._moves.max())) >> BITS + 4) + 1 << 4
        columns, rows = self._moves
        columns += np.arange(far, far + width) << BITS
        rows += np.arange(far, far + height)[:, None] << BITS
        np.copyto(places, self._moves[::-1], casting="unsafe")
        self._frame(images, far)
        return self._frames

    def _frame(self, images: NDArray[np.int64], far: int) -> None:
        import cv2

        height, width = self._shape
        size = (height + 2 * far, width + 2 * far)
        if self._frames.shape[1:] != size:
            self._frames = np.empty((2, *size), np.int64)
        for frame, image in zip(self._frames, images, strict=True):
            # OpenCV moves 64 bits as two numbers
            inner, outer = image.view(np.int32).reshape(height, width, 2), frame.view(np.int32).reshape(*size, 2)
            cv2.copyMakeBorder(inner, far, far, far, far, cv2.BORDER_REFLECT, dst=outer)

    def _smooth(self, out: NDArray[np.float64]) -> None:
        """The noise times ``ONE**2``, smoothed: whole numbers, whatever the order of the sums."""
        import cv2

        if self._matrices is None:
            cv2.sepFilter2D(self._noise, cv2.CV_64F, self._kernel, self._kernel, dst=out, borderType=cv2.BORDER_REFLECT)
        else:
            by_rows, by_columns = self._matrices
            np.matmul(by_rows @ self._noise, by_columns.T, out=out)


def bell(sigma: float) -> NDArray[np.float64]:
    """Weights of a Gaussian cut at 3 sigma, (2r + 1,) with r = int(3 sigma + 0.5), summing to 1."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def mirrored(side: int, sigma: float) -> NDArray[np.float64]:
    """`bell` along an axis of `side` pixels that is mirrored with its edges: (side, side), the weights of a row.

    To be rounded only after what falls on one pixel is summed up: on the noise of a small image that is smoothed by
    far more than its side, and enlarged 488 times, each single weight's rounding would show.
    """
    weights = bell(sigma)
    radius = len(weights) // 2
    place = (np.arange(side)[:, None] + np.arange(-radius, radius + 1)) % (2 * side)
    made: NDArray[Any] = np.zeros((side, side))
    np.add.at(made, (np.arange(side)[:, None], np.minimum(place, 2 * side - 1 - place)), weights)
    return made


@lru_cache(maxsize=8)
def matrix(side: int, sigma: float) -> NDArray[np.float64]:
    """`mirrored` in whole numbers, ``ONE`` for a weight of 1."""
    return np.rint(mirrored(side, sigma) * ONE)


def _row(side: int, *numbers: tuple[float, float, float]) -> tuple[tuple[float, ...], ...]:
    """The published parameters are shares of a side."""
    return tuple(tuple(round(side * share, 2) for share in row) for row in numbers)


SHIFTS = (
    corruption(
        elastic_transform,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; positions in whole multiples of 2**-13 pixels",
        keys=["alpha", "sigma", "affine"],
        tables={
            224: _row(244, (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
            64: _row(64, (0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
            32: _row(32, (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        },
    ),
)
