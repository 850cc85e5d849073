"""ImageNet-C-bar's covers against their rules in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.shifts.bar_cover import checkerboard_cutout, inverse_sparkles, lines, sparkles
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.rng import Stream

SIZES = pytest.mark.parametrize("size", [(64, 64), (33, 47), (50, 32)])
SEEDS = pytest.mark.parametrize("seed", [0, 1, 2])


def bits(seed: int) -> Stream:
    return Stream(seed, "bar", {}, "a")


def texture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (1, height, width, 3), np.uint8)


@SIZES
@SEEDS
def test_grey_squares_are_black_squares_of_a_checkerboard(size: tuple[int, int], seed: int) -> None:
    image, draws = texture(*size), Draws(bits(seed))
    angle, square = draws.word() / 65536 * 2 * np.pi, draws.uniform(0.1, 0.25) * min(size)
    y, x = np.mgrid[: size[0], : size[1]]
    first = (np.cos(angle) * y + np.sin(angle) * x) / square
    second = (np.cos(angle) * x - np.sin(angle) * y) / square
    black = (np.floor(first) + np.floor(second)) % 2 == 0
    clear = np.minimum(abs(first - np.rint(first)), abs(second - np.rint(second))) > 1e-5
    covered = np.all(checkerboard_cutout(image, [bits(seed)], 10)[0] == 128, axis=-1)
    assert np.array_equal(covered[clear], black[clear]), "level 10 takes them all"
    made = checkerboard_cutout(image, [bits(seed)], 4)[0]
    covered = np.all(made == 128, axis=-1)
    assert np.array_equal(made[~covered], image[0][~covered])
    assert not np.any(covered & clear & ~black)
    for square_index in np.unique(np.stack([np.floor(first), np.floor(second)], -1)[clear], axis=0):
        inside = (np.floor(first) == square_index[0]) & (np.floor(second) == square_index[1]) & clear
        assert covered[inside].all() or not covered[inside].any(), "a square is covered whole"


def test_a_tenth_of_the_black_squares_per_level_is_covered() -> None:
    image = np.zeros((1, 60, 60, 3), np.uint8)
    for level in (1, 5):
        shares = [np.mean(checkerboard_cutout(image, [bits(seed)], level) == 128) for seed in range(300)]
        assert abs(np.mean(shares) - level / 20) < 0.015


def star(
    size: tuple[int, int], row: float, column: float, lengths: NDArray[np.float64], exponent: float
) -> NDArray[np.float64]:
    y, x = np.mgrid[: size[0], : size[1]]
    place = (np.arctan2(x - column, y - row) + np.pi) / (2 * np.pi) * len(lengths)
    ray = np.floor(place).astype(int)
    f = place - ray
    length = lengths[ray % len(lengths)] * (1 - f) + lengths[(ray + 1) % len(lengths)] * f
    light = (length**2 / ((y - row) ** 2 + (x - column) ** 2 + 1e-4)) ** exponent
    return np.clip((1 - (f - 0.5) ** 2) * light, 0, 1)


def ray_lengths(seed: int, lane: int, rays: int, radius: float) -> NDArray[np.float64]:
    return radius * (1 + 0.25 * normal()[bits(seed).uint16(rays, lane=lane)].astype(float))


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [1, 5, 10])
def test_inverse_sparkles_whiten_around_a_star(size: tuple[int, int], seed: int, level: float) -> None:
    image, draws = texture(*size), Draws(bits(seed))
    row, column = (draws.uniform(0.25, 0.75) * side for side in size)
    lengths = ray_lengths(seed, 1, 50 + draws.below(150), 0.25 * min(size))
    left = star(size, row, column, lengths, 0.13 * level)
    exact = 255 + left[..., None] * (image[0] - 255.0)
    made = inverse_sparkles(image, [bits(seed)], level)[0]
    # the light jumps between rays; 1e-6 of a turn is 2e-4 of a ray
    assert np.mean(np.abs(made + 0.5 - exact) > 0.56) < 0.01
    assert np.abs(made + 0.5 - exact).max() < 3


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [0.7, 5])
def test_sparkles_are_five_stars(size: tuple[int, int], seed: int, level: float) -> None:
    image, draws = texture(*size), Draws(bits(seed))
    exact = image[0].astype(float)
    for number in range(5):
        row, column, rays = draws.uniform(0, size[0]), draws.uniform(0, size[1]), 50 + draws.below(150)
        lengths = np.maximum(ray_lengths(seed, number + 1, rays, 0.01 * level * min(size)), 1)
        exact += star(size, row, column, lengths, 1)[..., None] * (255 - exact)
    made = sparkles(image, [bits(seed)], level)[0]
    assert np.mean(np.abs(made + 0.5 - exact) > 0.56) < 0.01
    assert np.abs(made + 0.5 - exact).max() < 3


@SIZES
@SEEDS
@pytest.mark.parametrize("level", [0.5, 2.5])
def test_lines_cover_by_their_distance(size: tuple[int, int], seed: int, level: float) -> None:
    image, draws, side = texture(*size), Draws(bits(seed)), min(size)
    middle, variation = draws.word(), draws.uniform(0.1, 1)
    count = int(0.1 * level * side)
    y, x = np.mgrid[: size[0], : size[1]]
    left = np.ones(size)
    for a, b, c in bits(seed).uint16(3 * count, lane=1).reshape(count, 3).astype(float):
        row, column = (a + 0.5) / 65536 * size[0], (b + 0.5) / 65536 * size[1]
        turn = (middle + round((c - 32767.5) * variation)) / 65536 * 2 * np.pi
        start = np.trunc([row - np.cos(turn) * side, column - np.sin(turn) * side])
        end = np.trunc([row + np.cos(turn) * side, column + np.sin(turn) * side])
        way = (end - start) / np.linalg.norm(end - start)
        distance = np.abs((y - start[0]) * way[1] - (x - start[1]) * way[0])
        major = 0 if abs(way[0]) >= abs(way[1]) else 1
        low, high = sorted([start[major], end[major]])
        along = (y, x)[major]
        left *= np.where((along >= low) & (along <= high), np.minimum(distance, 1), 1)
    exact = 128 + left[..., None] * (image[0] - 128.0)
    made = lines(image, [bits(seed)], level)[0]
    rest = exact + 2**-10 - made
    assert rest.min() > -1e-3
    assert rest.max() < 1 + 1e-3
    assert np.mean(left < 1) > 0.005


def test_the_directions_of_lines_are_alike() -> None:
    """Of one image they spread by `variation` of a full turn at most: the covered pixels line up."""
    white = np.full((1, 96, 96, 3), 255, np.uint8)
    made = lines(white, [bits(3)], 2.5)
    assert made.min() == 128
    assert 0.2 < np.mean(made < 255) < 0.8
