"""ImageNet-C-bar: what covers parts of the image: a checkerboard, lines, sparkles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.draws import Draws, each_drawn, truncated
from pytest_robust.shifts.pixels import FRACTION, fixed
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.waves import cosine, power, sine, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

GREY = 128


def checkerboard_cutout(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Turn a tenth per level of the black squares of a tilted checkerboard grey; a square is 0.1 to 0.25 sides."""
    height, width = images.shape[1:3]
    side = min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
        angle, square = draws.word(), max(draws.uniform(0.1, 0.25) * side, 1)
        cos, sin = float(cosine()[angle]) / square, float(sine()[angle]) / square
        y, x = np.arange(height)[:, None], np.arange(width)
        first, second = (np.floor(place).astype(np.intp) for place in (y * cos + x * sin, x * cos - y * sin))
        # an even step keeps what is black
        first -= first.min() & ~1
        second -= second.min() & ~1
        rows, columns = int(first.max()) + 1, int(second.max()) + 1
        struck = draws.bits.uint16(rows * columns, lane=1) < round(level * 6553.6)
        covered = struck.take(first * columns + second) & ((first ^ second) & 1 == 0)
        return np.where(covered[..., None], np.uint8(GREY), image)

    return each_drawn(images, bits, rule)


def lines(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Draw ``0.1 level`` grey, smooth-edged lines per pixel of the side, two sides long, of similar directions."""
    height, width = images.shape[1:3]
    side = min(height, width)
    count = int(0.1 * level * side)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        middle, variation = draws.word(), draws.uniform(0.1, 1)
        words = draws.bits.uint16(3 * count, lane=1).reshape(count, 3)
        rows, columns = (words[:, 0] + 0.5) / 65536 * height, (words[:, 1] + 0.5) / 65536 * width
        angles = (middle + np.rint((words[:, 2] - 32767.5) * variation)).astype(np.int64) & 0xFFFF
        left = np.ones((height, width))
        for line in zip(rows, columns, cosine().take(angles) * side, sine().take(angles) * side, strict=True):
            _erase(left, *line)
        return _towards(GREY, fixed(left), image)

    return each_drawn(images, bits, rule)


def _erase(left: NDArray[np.float64], row: float, column: float, down: float, across: float) -> None:
    """Multiply by 1 - coverage of a line through a point, its half given; it ends on whole pixels."""
    start, end = np.trunc([row - down, column - across]), np.trunc([row + down, column + across])
    if abs(end[0] - start[0]) < abs(end[1] - start[1]):
        left, start, end = left.T, start[::-1], end[::-1]
    if end[0] == start[0]:
        return
    slope = (end[1] - start[1]) / (end[0] - start[0])
    low, high = sorted((int(start[0]), int(end[0])))
    along = np.arange(max(low, 0), min(high, left.shape[0] - 1) + 1)[:, None]
    place = start[1] + (along - start[0]) * slope
    beside = np.floor(place).astype(np.intp) + np.arange(-1, 3)
    distance = np.abs(beside - place) / np.sqrt(1 + slope * slope)
    inside = (distance < 1) & (beside >= 0) & (beside < left.shape[1])
    left[np.broadcast_to(along, beside.shape)[inside], beside[inside]] *= distance[inside]


def sparkles(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Put five white stars with 50 to 199 rays of random length about ``0.01 level`` sides into the image."""
    height, width = images.shape[1:3]
    radius = 0.01 * level * min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        left = np.ones((height, width))
        for star in range(5):
            row, column, rays = draws.uniform(0, height), draws.uniform(0, width), 50 + draws.below(150)
            lengths = np.maximum(_lengths(draws.bits, star + 1, rays, radius), 1)
            left *= 1 - _star(height, width, row, column, lengths, 1)
        return _towards(255, fixed(left), image)

    return each_drawn(images, bits, rule)


def inverse_sparkles(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Whiten everything but one star about a quarter of a side in size; its edge sharpens with the level."""
    height, width = images.shape[1:3]
    radius = 0.25 * min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        row, column = draws.uniform(0.25, 0.75) * height, draws.uniform(0.25, 0.75) * width
        lengths = _lengths(draws.bits, 1, 50 + draws.below(150), radius)
        return _towards(255, fixed(_star(height, width, row, column, lengths, 0.13 * level)), image)

    return each_drawn(images, bits, rule)


def _lengths(bits: Bits, lane: int, rays: int, radius: float) -> NDArray[np.float64]:
    return radius + 0.25 * radius * normal().take(bits.uint16(rays, lane=lane)).astype(np.float64)


def _star(
    height: int, width: int, row: float, column: float, lengths: NDArray[np.float64], exponent: float
) -> NDArray[np.float64]:
    """The light of a star in 0..1, (H, W): ``(length / distance)**(2 exponent)``, less between rays."""
    shape = height, width
    y = np.broadcast_to((np.arange(height) - row)[:, None], shape)
    x = np.broadcast_to(np.arange(width) - column, shape)
    place = (turns(x, y) + 0.5) * len(lengths)
    ray = place.astype(np.intp)
    between = place - ray
    # the angle of half a turn is its own ray 0
    around = np.concatenate([lengths, lengths[:2]])
    length: NDArray[np.float64] = around.take(ray)
    length += between * (around.take(ray + 1) - length)
    light: NDArray[np.float64] = length * length / (x * x + y * y + 1e-4)
    if exponent != 1:
        light = power(light, exponent)
    between -= 0.5
    light *= 1 - between * between
    np.minimum(light, 1, out=light)
    return light


def _towards(level: int, left: NDArray[np.int32], image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """``level + left * (image - level)``, `left` in fixed point (H, W)."""
    return truncated(left[..., None] * (image.astype(np.int32) - level) + (level << FRACTION))
