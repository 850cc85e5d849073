"""Fog against the paper's rule with the same noise, and its plasma against loops over points."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.fog import plasma
from pytest_robust.shifts.rng import Stream, Streams
from pytest_robust.shifts.streams import make

FOG = pixel_shift("imagenet-c", "fog")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def heights(bits: Stream, side: int, decay: float) -> NDArray[np.float64]:
    """Diamond-square point by point: squares first, then the diamonds on their upper sides, then on their left ones."""
    words = iter(bits.uint16(side * side - 1).tolist())
    grid = np.zeros((side, side))
    step, wibble = side, 100.0

    def put(y: int, x: int, around: list[tuple[int, int]]) -> None:
        mean = sum(grid[(y + dy) % side, (x + dx) % side] for dy, dx in around) / 4
        grid[y, x] = mean + wibble * wibble * ((next(words) + 0.5) / 32768 - 1)

    while step >= 2:
        half = step // 2
        corners = [(-half, -half), (half, -half), (-half, half), (half, half)]
        beside = [(-half, 0), (half, 0), (0, -half), (0, half)]
        points = [(y, x) for y in range(0, side, step) for x in range(0, side, step)]
        for y, x in points:
            put(y + half, x + half, corners)
        for y, x in points:
            put(y, x + half, beside)
        for y, x in points:
            put(y + half, x, beside)
        step, wibble = half, wibble / decay
    return grid


@pytest.mark.parametrize("decay", [1.4, 2, 3])
@pytest.mark.parametrize("side", [2, 4, 32, 64])
def test_the_plasma_is_diamond_square(side: int, decay: float) -> None:
    bits = Stream(1, "fog", {"side": side}, "a")
    expected = heights(bits, side, decay)
    found = plasma(bits, side, decay)
    assert found.shape == (side, side)
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_rule_within_one_level(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    images = pictures // 2 + np.array([0, 30, 127, 80], np.uint8)[:, None, None, None]
    numbers = FOG.resolve({"severity": severity, "table": table}, 40, 56)
    names = ["a", "b", "c", "d"]
    made = make(FOG, images, names, 3, numbers)
    streams = Streams(3, "fog", numbers)
    for one, image, name in zip(made, images, names, strict=True):
        map_ = heights(streams.for_id(name), 64, numbers["decay"])
        map_ = (map_ - map_.min()) / np.ptp(map_)
        x = image / 255
        highest = x.max()
        foggy = (x + numbers["amount"] * map_[:40, :56, None]) * highest / (highest + numbers["amount"])
        rest = np.clip(foggy, 0, 1) * 255 + 2**-10 - one
        assert rest.min() > -1e-3, "float32 keeps a thousandth of a level"
        assert rest.max() < 1 + 1e-3


@pytest.mark.parametrize(("size", "side"), [((40, 56), 64), ((64, 3), 64), ((65, 2), 128), ((1, 1), 2), ((2, 1), 2)])
def test_the_plasma_is_as_large_as_the_next_power_of_two(size: tuple[int, int], side: int) -> None:
    image = np.full((1, *size, 3), 200, np.uint8)
    numbers = FOG.resolve({"severity": 3, "table": 224}, *size)
    bits = Streams(0, "fog", numbers).for_id("a")
    found = plasma(bits, side, numbers["decay"])[: size[0], : size[1]]
    made = make(FOG, image, ["a"], 0, numbers)[0, ..., 0].astype(int)
    order = np.argsort(found, axis=None)
    assert np.all(np.diff(made.ravel()[order]) >= 0), "the thicker the plasma, the paler"


def test_black_stays_black_and_the_brightest_level_is_kept() -> None:
    numbers = FOG.resolve({"severity": 5, "table": 224}, 224, 224)
    images = np.zeros((2, 64, 64, 3), np.uint8)
    images[1] = 90
    made = make(FOG, images, ["a", "b"], 0, numbers)
    assert not made[0].any()
    assert made[1].max() == 90
    assert 9 <= made[1].min() < 60


def test_the_steps_carry_the_squared_wibble() -> None:
    # at decay 1 every level of noise has the same amplitude: that of the last shows in the finest differences
    spread = {}
    for decay in (1, 2):
        maps = [plasma(Stream(0, "p", {}, str(i)), 64, decay).astype(float) for i in range(40)]
        fine = np.stack([one[1::2, 1::2] - (one[::2, ::2] + np.roll(one, -2, 0)[::2, ::2]) / 4 for one in maps])
        fine -= np.stack(
            [(np.roll(one, -2, 1)[::2, ::2] + np.roll(one, (-2, -2), (0, 1))[::2, ::2]) / 4 for one in maps]
        )
        spread[decay] = fine.std()
        assert np.abs(fine).max() <= 1e4 / 4 ** (5 * (decay - 1))
    assert spread[1] == pytest.approx(1e4 / np.sqrt(3), rel=0.02)
    assert spread[2] == pytest.approx(1e4 / 4**5 / np.sqrt(3), rel=0.02)
