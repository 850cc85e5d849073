"""ImageNet-C-bar: what moves pixels: caustics, pinches and twirls, ripples, lenses, rotation."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.draws import Draws, each_drawn, truncated
from pytest_robust.shifts.pixels import FRACTION, each
from pytest_robust.shifts.sampling import bilinear, packed
from pytest_robust.shifts.waves import RADIAN, TURN, angle, cosine, power, sine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def ripple(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Move rows along themselves, and columns too, by waves of peak ``0.0025 level`` and length 0.1 to 0.3 sides."""
    height, width = images.shape[1:3]
    side = min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        rows, columns = (
            np.arange(length) + sine().take(_waved(length, draws, side)) * (0.0025 * level * side)
            for length in (height, width)
        )
        return truncated(bilinear(image, rows[:, None], columns))

    return each_drawn(images, bits, rule)


def _waved(length: int, draws: Draws, side: int) -> NDArray[np.uint16]:
    return angle(np.arange(length) * (TURN / (draws.uniform(0.1, 0.3) * side)) + draws.word())


def pinch_and_twirl(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Pinch and twirl by ``9 level`` degrees, either way, in the circles of a grid: 5 on the short side, 3 up to 48."""
    height, width = images.shape[1:3]
    short = min(height, width)
    cell = short // (5 if short > 48 else 3)
    if cell == 0:
        return images.copy()
    moves = twirl(cell, level)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        grid = height // cell, width // cell
        ways = draws.bits.uint16(grid[0] * grid[1], lane=1).reshape(grid) >> 15
        rows, columns = (np.broadcast_to(axis, (height, width)).copy() for axis in _axes(height, width))
        for (i, j), way in np.ndenumerate(ways):
            place = np.s_[i * cell : (i + 1) * cell, j * cell : (j + 1) * cell]
            rows[place] += moves[way, 0]
            columns[place] += moves[way, 1]
        return truncated(bilinear(image, rows, columns))

    return each_drawn(images, bits, rule)


def _axes(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)


@lru_cache(maxsize=16)
def twirl(cell: int, level: float) -> NDArray[np.float64]:
    """Where the pixels of a cell come from, relative to themselves: (way 2, row and column 2, cell, cell)."""
    radius = cell / 2
    y, x = (np.broadcast_to(axis - radius, (cell, cell)) for axis in _axes(cell, cell))
    distance = np.sqrt(y * y + x * x) / radius
    moved = (distance <= 1) & (distance > 0)
    inner = np.where(moved, distance, 1)
    pull = power(sine().take(angle(inner * (TURN / 4))), -(0.04 * level + 0.1))
    twirled = [angle((1 - inner) ** 2 * (way * level * TURN / 40)) for way in (-1, 1)]
    moves = [
        [
            (y * cosine().take(turn) - x * sine().take(turn)) * pull - y,
            (y * sine().take(turn) + x * cosine().take(turn)) * pull - x,
        ]
        for turn in twirled
    ]
    return np.where(moved, np.array(moves), 0)


def circular_motion_blur(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Average 21 rotations about the centre, up to ``1.5 level`` degrees either way, the middle ones weighing most."""
    height, width = images.shape[1:3]
    indices, weights = rotations(height, width, level)
    steps = (0, 1, width + 3, width + 4)

    def rule(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        (word,) = packed(image, _LANE)
        total = np.full(height * width, _LANE_GUARD, np.uint64)
        for index, four in zip(indices, weights, strict=True):
            for step, weight in zip(steps, four, strict=True):
                total += word[step:].take(index) * weight
        lanes = [total >> np.uint64(_LANE * channel + SHARES) & np.uint64(255) for channel in range(3)]
        return np.stack(lanes, axis=-1).reshape(image.shape).astype(np.uint8)

    return each(images, rule)


_LANE = 21
SHARES = 13
"""The taps of a pixel weigh 2**13 together: times 255, that fits a lane of 21 bits."""

_LANE_GUARD = np.uint64(sum(1 << (_LANE * channel + SHARES - 10) for channel in range(3)))


@lru_cache(maxsize=2)
def rotations(height: int, width: int, level: float) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
    """Of each rotation the framed index of each pixel's first tap, (21, H * W), and four weights, (21, 4, H * W)."""
    y, x = _axes(height, width)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    share = np.rint(np.exp(-2 * np.linspace(-1, 1, 21) ** 2) * (1 << 20)) / (1 << 20)
    share = share / math.fsum(share) * (1 << SHARES)
    indices = np.empty((21, height * width), np.intp)
    weights = np.empty((21, 4, height * width), np.uint16)
    black = np.zeros(height * width, np.int64)
    for number in range(21):
        turn = round((number / 10 - 1) * level * 1.5 / 360 * TURN) % TURN
        cos, sin = float(cosine()[turn]), float(sine()[turn])
        rows, columns = y * cos + x * sin + (height - 1) / 2, x * cos - y * sin + (width - 1) / 2
        # nothing fades in: outside the outermost pixels' centres it is black
        inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
        rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
        top, left = np.floor(rows), np.floor(columns)
        indices[number] = ((top + 1) * (width + 3) + left + 1).astype(np.intp).ravel()
        down, right = rows - top, columns - left
        products = ((1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right)
        weights[number] = [np.floor(share[number] * part * inside).ravel() for part in products]
        black += np.floor(share[number] * ~inside).ravel().astype(np.int64)
    # the image itself, in the middle, takes what rounding leaves over
    weights[10, 0] += ((1 << SHARES) - black - weights.sum(axis=(0, 1), dtype=np.int64)).astype(np.uint16)
    return indices, weights


def transverse_chromatic_abberation(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Enlarge the three channels by 1, ``1 + 0.025 level`` and ``1 + 0.05 level``, in random order.

    Cubic B-splines without their prefilter, as in the released code: the channel that keeps its size is smoothed.
    """
    height, width = images.shape[1:3]
    zooms = [
        (enlargement(height, scale), enlargement(width, scale)) for scale in (1, 1 + 0.025 * level, 1 + 0.05 * level)
    ]

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
        out = np.empty(image.shape, np.uint8)
        for channel, (down, across) in enumerate(zooms[number] for number in order(draws)):
            tall = _spline(image[..., channel].astype(np.int64), *down)
            both = _spline(tall.T, *across).T
            out[..., channel] = (both + HALF) >> (2 * SPLINE)
        return out

    return each_drawn(images, bits, rule)


def order(draws: Draws) -> list[int]:
    """Which enlargement each channel gets, all orders equally likely."""
    found = [0, 1, 2]
    for last in (2, 1):
        other = draws.below(last + 1)
        found[last], found[other] = found[other], found[last]
    return found


SPLINE = 16
HALF = 1 << (2 * SPLINE - 1)


@lru_cache(maxsize=64)
def enlargement(side: int, scale: float) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Of each position in the middle of the enlarged line four taps, and weights that sum to 2**16; both (4, side)."""
    large = round(side * scale)
    places = (np.arange(side) + (large - side) // 2) * ((side - 1) / max(1, large - 1))
    before = np.floor(places)
    t = places - before
    rest, square = 1 - t, t * t
    cubic = [
        rest * rest * rest / 6,
        (4 - 6 * square + 3 * square * t) / 6,
        (1 + 3 * t + 3 * square - 3 * square * t) / 6,
        square * t / 6,
    ]
    weights = np.rint(np.array(cubic) * (1 << SPLINE)).astype(np.int64)
    weights[1] += (1 << SPLINE) - weights.sum(axis=0)
    taps = before.astype(np.intp) + np.arange(-1, 3)[:, None]
    # mirrored about the outermost pixels
    period = max(1, 2 * (side - 1))
    taps = np.abs((taps + side - 1) % period - (side - 1))
    return taps, weights


def _spline(lines: NDArray[np.int64], taps: NDArray[np.intp], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = lines[taps[0]] * weights[0][:, None]
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        total += lines[tap] * weight[:, None]
    return total


def caustic_refraction(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """See the image through moving water: its slopes refract (lens ``0.05 level`` sides) and light it."""
    height, width = images.shape[1:3]
    side = min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        water = _smoothed(_caustics(height, width, draws.uniform(0.5, 2), draws.uniform(0.75, 1.25) * side))
        framed = np.pad(water, 1)
        slope_y, slope_x = framed[2:, 1:-1] - framed[:-2, 1:-1], framed[1:-1, 2:] - framed[1:-1, :-2]
        upright = 1 / np.sqrt(slope_y * slope_y + slope_x * slope_x + 1)
        # Snell's law with the index 4; a surface nearly level refracts nothing
        bend = (np.sqrt(1 - (1 - upright * upright) / 16) - upright / 4) * upright * (0.05 * level * side)
        bend *= upright < 0.999
        y, x = _axes(height, width)
        levels = bilinear(image, y + slope_y * bend, x + slope_x * bend)
        light = np.rint((slope_y - slope_x) * (0.2 * level * 255 * (1 << FRACTION)))
        bound = 4 * 255 << FRACTION
        levels += np.clip(light, -bound, bound).astype(np.int32)[..., None]
        return truncated(levels)

    return each_drawn(images, bits, rule)


def _caustics(height: int, width: int, time: float, size: float) -> NDArray[np.float64]:
    """Light on the ground of a pool, 0..1, (H, W): five waves that bend each other.

    Angles are whole parts of a turn in uint16; `bent` tables hold sines as such angles, of a peak of one radian.
    """
    sines, cosines = _bent()
    phase_y, phase_x = _phases(height, size)[:, None], _phases(width, size)
    y, x = (phase * (2 * math.pi) - 250 for phase in (phase_y, phase_x))
    start_y, start_x = (angle((phase - 250 / (2 * math.pi)) * TURN) for phase in (phase_y, phase_x))
    at_y, at_x = start_y, start_x
    light: NDArray[Any] = np.ones((height, width))
    for wave in range(5):
        t = angle(np.array(time * (1 - 3.5 / (wave + 1)) * RADIAN))
        at_y, at_x = (
            start_y + cosines.take(t - at_y) + sines.take(t + at_x),
            start_x + sines.take(t - at_x) + cosines.take(t + at_y),
        )
        sin, cos = sine().take(at_y + t), cosine().take(at_x + t)
        far, near = y * cos, x * sin
        light += np.abs(sin * cos) * 200 / np.sqrt(far * far + near * near + 1e-30)
    contrast = 1.17 - power(light / 5, 1.4)
    squared = contrast * contrast
    fourth = squared * squared
    return np.minimum(fourth * fourth, 1)


def _phases(side: int, size: float) -> NDArray[np.float64]:
    shares = np.arange(side) / size
    return shares - np.floor(shares)


@lru_cache(maxsize=1)
def _bent() -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    return angle(sine() * RADIAN), angle(cosine() * RADIAN)


def _smoothed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian filter of one pixel, cut at 4, edges reflected."""
    bell = np.rint(np.exp(-0.5 * np.arange(-4, 5) ** 2) * (1 << 20))
    weights = bell / bell.sum()
    for _ in range(2):
        framed = np.pad(plane, ((4, 4), (0, 0)), mode="symmetric")
        blurred = np.zeros(plane.shape)
        for start, weight in enumerate(weights):
            blurred += framed[start : start + len(plane)] * weight
        plane = blurred.T
    return plane
