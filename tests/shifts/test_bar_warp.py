"""ImageNet-C-bar's warps against their rules in floating point, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.shifts.bar_warp import (
    caustic_refraction,
    circular_motion_blur,
    pinch_and_twirl,
    ripple,
    transverse_chromatic_abberation,
)
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.rng import Stream

SIZES = pytest.mark.parametrize("size", [(64, 64), (33, 47), (50, 32)])
SEEDS = pytest.mark.parametrize("seed", [0, 1, 2])


def bits(seed: int) -> Stream:
    return Stream(seed, "bar", {}, "a")


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """A picture without steps, so that a small error of a position is a small error of a level."""
    noise = np.random.default_rng(4).uniform(-1, 1, (height, width, 3))
    picture = ndimage.gaussian_filter(noise, (2, 2, 0))
    return np.rint(127 + 120 * picture / np.abs(picture).max()).astype(np.uint8)[None]


def read(image: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.stack(np.broadcast_arrays(rows, columns)) + 1
    framed = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    return np.stack([ndimage.map_coordinates(framed[..., c], places, order=1, prefilter=False) for c in range(3)], -1)


def assert_near(made: NDArray[np.uint8], exact: NDArray[np.float64], slack: float = 0.1) -> None:
    off = np.abs(made + 0.5 - np.clip(exact, 0, 255))
    assert off.max() < 0.5 + slack


@SIZES
@SEEDS
def test_ripple_is_the_rule(size: tuple[int, int], seed: int) -> None:
    image, draws, side = smooth(*size), Draws(bits(seed)), min(size)
    places = []
    for length in size:
        wave, phase = draws.uniform(0.1, 0.3) * side, draws.word() / 65536 * 2 * np.pi
        places.append(np.arange(length) + 0.02 * side * np.sin(2 * np.pi * np.arange(length) / wave + phase))
    assert_near(ripple(image, [bits(seed)], 8)[0], read(image[0], places[0][:, None], places[1]))


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [5.5, 10])
def test_pinch_and_twirl_is_the_rule(size: tuple[int, int], seed: int, level: float) -> None:
    image = smooth(*size)
    cell = min(size) // (5 if min(size) > 48 else 3)
    cells = size[0] // cell, size[1] // cell
    ways = np.where(bits(seed).uint16(cells[0] * cells[1], lane=1).reshape(cells) >> 15, 1, -1)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    for (i, j), way in np.ndenumerate(ways):
        for row in range(i * cell, (i + 1) * cell):
            for column in range(j * cell, (j + 1) * cell):
                y, x = row - (i + 0.5) * cell, column - (j + 0.5) * cell
                d = np.hypot(y, x) / (cell / 2)
                if not 0 < d <= 1:
                    continue
                pull = np.sin(np.pi / 2 * d) ** -(0.04 * level + 0.1)
                turn = way * level * np.pi / 20 * (1 - d) ** 2
                rows[row, column] += pull * (y * np.cos(turn) - x * np.sin(turn)) - y
                columns[row, column] += pull * (y * np.sin(turn) + x * np.cos(turn)) - x
    made = pinch_and_twirl(image, [bits(seed)], level)[0]
    assert_near(made, read(image[0], rows, columns), 0.15)
    assert not np.array_equal(made, image[0])


def test_twirls_turn_either_way() -> None:
    image = smooth(60, 60)
    cells = np.stack([pinch_and_twirl(image, [bits(seed)], 10)[0, :12, :12] for seed in range(40)])
    assert len(np.unique(cells, axis=0)) == 2


@SIZES
@pytest.mark.parametrize("level", [2.8, 6])
def test_circular_motion_blur_averages_rotations(size: tuple[int, int], level: float) -> None:
    """Of scipy, but linear in place of cubic between the pixels."""
    image = smooth(*size)
    steps = np.linspace(-1, 1, 21)
    weights = np.exp(-2 * steps**2)
    turned = [ndimage.rotate(image[0].astype(float), step * level * 1.5, reshape=False, order=1) for step in steps]
    exact = np.tensordot(weights / weights.sum(), turned, 1)
    off = np.abs(circular_motion_blur(image, [], level)[0] + 0.5 - exact)
    # on the outermost pixels an angle of 1/65536 turn decides what is outside
    assert off[1:-1, 1:-1].max() < 2.5
    assert off[2:-2, 2:-2].mean() < 0.35
    assert np.mean(off > 1) < 0.02


def test_circular_motion_blur_keeps_what_is_round() -> None:
    y, x = np.mgrid[:65, :65] - 32.0
    rings = np.rint(127 + 100 * np.cos(np.hypot(y, x) / 3)).astype(np.uint8)
    image = np.repeat(rings[None, ..., None], 3, axis=-1)
    inner = np.hypot(y, x) < 29
    made = circular_motion_blur(image, [], 6)[0]
    assert np.abs(made[inner].astype(int) - image[0][inner]).max() < 6
    flat = np.full((1, 40, 56, 3), 201, np.uint8)
    assert np.all(circular_motion_blur(flat, [], 6)[0, 10:-10, 10:-10] == 201)


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [1, 5, 10])
def test_chromatic_abberation_zooms_as_scipy_does(size: tuple[int, int], seed: int, level: float) -> None:
    image = np.random.default_rng(9).integers(0, 256, (1, *size, 3), np.uint8)
    draws, order = Draws(bits(seed)), [0, 1, 2]
    for last in (2, 1):
        other = draws.below(last + 1)
        order[last], order[other] = order[other], order[last]
    made = transverse_chromatic_abberation(image, [bits(seed)], level)[0]
    for channel, number in enumerate(order):
        scale = 1 + 0.025 * level * number
        zoomed = ndimage.zoom(image[0, ..., channel].astype(float), scale, prefilter=False)
        top, left = ((zoomed.shape[axis] - size[axis]) // 2 for axis in (0, 1))
        exact = zoomed[top : top + size[0], left : left + size[1]]
        assert np.abs(made[..., channel] - exact).max() < 0.52


def test_each_channel_is_each_lens() -> None:
    image = smooth(32, 32)
    firsts = {transverse_chromatic_abberation(image, [bits(seed)], 9)[0].tobytes() for seed in range(60)}
    assert len(firsts) == 6


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [2.35, 9.15])
def test_caustic_refraction_is_the_rule(size: tuple[int, int], seed: int, level: float) -> None:
    image, draws, side = smooth(*size), Draws(bits(seed)), min(size)
    time, scale = draws.uniform(0.5, 2), draws.uniform(0.75, 1.25) * side
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    p = [np.mod(axis / scale, 1) * 2 * np.pi - 250 for axis in (y, x)]
    i, total = p, np.ones(size)
    for wave in range(5):
        t = time * (1 - 3.5 / (wave + 1))
        i = [p[0] + np.cos(t - i[0]) + np.sin(t + i[1]), p[1] + np.sin(t - i[1]) + np.cos(t + i[0])]
        total += 1 / np.hypot(p[0] * 0.005 / np.sin(i[0] + t), p[1] * 0.005 / np.cos(i[1] + t))
    water = np.clip(np.abs(1.17 - (total / 5) ** 1.4) ** 8, 0, 1)
    water = np.pad(ndimage.gaussian_filter(water, 1), 1)
    slope = water[2:, 1:-1] - water[:-2, 1:-1], water[1:-1, 2:] - water[1:-1, :-2]
    normal = np.stack([*slope, np.ones(size)]) / np.sqrt(slope[0] ** 2 + slope[1] ** 2 + 1)
    # Snell's law: the ray turns from the vertical by an angle whose sine is a quarter of the normal's
    tilt = np.arccos(normal[2])
    flat = np.hypot(normal[0], normal[1])
    turned = tilt - np.arcsin(np.sin(tilt) / 4)
    ray = [np.where(normal[2] < 0.999, np.sin(turned) * part / np.where(flat == 0, 1, flat), 0) for part in normal[:2]]
    lens = 0.05 * level * side
    exact = read(image[0], y + ray[0] * lens, x + ray[1] * lens)
    exact += (slope[0] - slope[1])[..., None] * 0.2 * level * 255
    off = np.abs(caustic_refraction(image, [bits(seed)], level)[0] + 0.5 - np.clip(exact, 0, 255))
    # a slope at the edge of being level moves its pixel at once
    assert np.mean(off > 0.75) < 0.01
    assert off.mean() < 0.3
