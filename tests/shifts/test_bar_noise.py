"""ImageNet-C-bar's noises and waves against their rules in floating point, and against their spectra."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.shifts.bar_noise import (
    blue_noise_sample,
    brownish_noise,
    cocentric_sine_waves,
    perlin_noise,
    plasma_noise,
    single_frequency_greyscale,
)
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.rng import Stream

SIZES = pytest.mark.parametrize("size", [(64, 64), (33, 47), (50, 32)])
SEEDS = pytest.mark.parametrize("seed", [0, 1, 2])


def bits(seed: int) -> Stream:
    return Stream(seed, "bar", {}, "a")


def texture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (1, height, width, 3), np.uint8)


def grey(side: int) -> NDArray[np.uint8]:
    return np.full((1, side, side, 3), 128, np.uint8)


def assert_truncates(made: NDArray[np.uint8], exact: NDArray[np.float64], slack: float) -> None:
    """`made` is the floor of `exact` levels but where that is nearer to a whole level than `slack`."""
    exact = np.broadcast_to(np.clip(exact, 0, 255), made.shape)
    rest = exact + 2**-10 - made
    assert rest.min() > -slack
    assert rest.max() < 1 + slack


def radians(word: int) -> float:
    return word / 65536 * 2 * np.pi


@SIZES
@SEEDS
def test_single_frequency_greyscale_is_the_rule(size: tuple[int, int], seed: int) -> None:
    image, draws = texture(*size), Draws(bits(seed))
    larger = ((draws.word() << 16 | draws.word()) / 2**32 - 0.5) * 2 * np.pi
    smaller = abs(larger) * (2 * (draws.word() + 0.5) / 65536 - 1)
    phase = radians(draws.word())
    down, across = (larger, smaller) if draws.below(2) else (smaller, larger)
    y, x = np.mgrid[: size[0], : size[1]]
    exact = image[0] + 19.6 * 4.5 * np.sin(y * down + x * across + phase)[..., None]
    assert_truncates(single_frequency_greyscale(image, [bits(seed)], 4.5)[0], exact, 0.012)


@SIZES
@SEEDS
def test_cocentric_sine_waves_are_the_rule(size: tuple[int, int], seed: int) -> None:
    image, draws, side = texture(*size), Draws(bits(seed)), min(size)
    column, row = draws.uniform(0, size[1]), draws.uniform(0, size[0])
    frequency, amplitude, ring = draws.uniform(0, 10), draws.uniform(0, side / 10), draws.uniform(0, side / 10)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    y, x = y - row, x - column
    bent = np.hypot(x, y) + np.sin(np.arctan2(x, y) * frequency) * amplitude
    saw = np.mod(bent, ring) / ring - 0.5
    made = cocentric_sine_waves(image, [bits(seed)], 9)[0]
    # where a ring begins, the value jumps by its whole height
    steady = np.abs(saw) < 0.5 - 2e-3 * side / ring / 10
    assert steady.mean() > 0.9
    exact = image[0] + 12.8 * 9 * saw[..., None]
    assert_truncates(made[steady], exact[steady], 0.01 * side / ring)


@SIZES
@SEEDS
def test_plasma_noise_is_the_rule(size: tuple[int, int], seed: int) -> None:
    image, draws = texture(*size), Draws(bits(seed))
    time, octaves = draws.uniform(0, 6 * np.pi), 4 + draws.below(3)
    sharpness, scale = draws.uniform(0.5, 1), draws.uniform(0.075, 0.2) * min(size)
    y, x = np.mgrid[: size[0], : size[1]] / scale
    for octave in range(octaves):
        slow, damping = 1.15**octave, (2.25 - sharpness) ** octave
        along = np.cos(y * 1.93**octave + time / slow) / damping
        across = np.sin(x * 1.93**octave + time / slow) / damping
        x, y = x + along - 0.3 * across, y + across + 0.3 * along
    colours = np.stack([np.sin(x - time), np.sin((x + y + np.sin(time)) / 2), np.sin(y + time)], axis=-1)
    strength = 6.4 * 8.5
    exact = (1 - strength / 255) * image[0] + strength * colours
    # six bends magnify an angle's 65536th some hundred times
    assert_truncates(plasma_noise(image, [bits(seed)], 8.5)[0], exact, 0.35)


@SIZES
@SEEDS
def test_perlin_noise_is_the_rule(size: tuple[int, int], seed: int) -> None:
    image = texture(*size)
    total = np.zeros(size)
    for octave in range(5):
        cell = min(size) / 7 / 2**octave
        rows, columns = int((size[0] - 1) / cell) + 2, int((size[1] - 1) / cell) + 2
        words = bits(seed).uint16(2 * rows * columns, lane=octave + 1).astype(float).reshape(2, rows, columns) - 32767.5
        gradients = words / np.linalg.norm(words, axis=0)
        for i in range(size[0]):
            for j in range(size[1]):
                y, x = i / cell, j / cell
                row, column = int(y), int(x)
                slopes = {
                    (a, b): gradients[0, row + a, column + b] * (y - row - a)
                    + gradients[1, row + a, column + b] * (x - column - b)
                    for a in (0, 1)
                    for b in (0, 1)
                }
                u, v = (t * t * (3 - 2 * t) for t in (x - column, y - row))
                above = slopes[0, 0] * (1 - u) + slopes[0, 1] * u
                below = slopes[1, 0] * (1 - u) + slopes[1, 1] * u
                total[i, j] += abs(1.5 * (above * (1 - v) + below * v)) / 2**octave
    exact = 0.56 * image[0] + 0.44 * 255 * np.clip(0.5 + 0.5 * total, 0, 1)[..., None]
    assert_truncates(perlin_noise(image, [bits(seed)], 8.8)[0], exact, 1e-3)


def test_perlin_noise_is_zero_at_the_lattice() -> None:
    made = perlin_noise(np.zeros((1, 224, 224, 3), np.uint8), [bits(0)], 10)[0, ::32, ::32]
    assert set(np.unique(made).tolist()) == {63}
    assert perlin_noise(np.zeros((1, 224, 224, 3), np.uint8), [bits(0)], 10).max() > 70


@pytest.mark.parametrize("level", [1, 3, 7])
def test_brownish_noise_has_the_deviation_and_the_spectrum(level: float) -> None:
    made = [brownish_noise(grey(64), [bits(seed)], level)[0] / 1.0 - 128 for seed in range(60)]
    if level < 7:
        assert np.abs(np.std(made, axis=(1, 2)) - 6.4 * level).max() < 0.5
    power = np.mean([np.abs(np.fft.fft2(one[..., 1])) ** 2 for one in made], axis=0)
    for cycles in (1, 2, 4, 8):
        expected = (2 / (cycles**2 + 1)) ** 2
        assert 0.6 < power[0, cycles] / power[0, 1] / expected < 1.6
    assert np.abs(np.corrcoef(np.stack(made).reshape(-1, 3).T) - np.eye(3)).max() < 0.25


@pytest.mark.parametrize(("level", "below"), [(0.8, 0.0119), (2.4, 0.0376), (5.6, 0.2061), (4.2, 0.1075)])
def test_blue_noise_blackens_a_share_of_the_pixels(level: float, below: float) -> None:
    """The field is nearly normal: the share is its distribution function at the threshold."""
    image = np.full((1, 224, 224, 3), 200, np.uint8)
    black = np.all(blue_noise_sample(image, [bits(1)], level)[0] == 0, axis=-1)
    kept = np.all(blue_noise_sample(image, [bits(1)], level)[0] == 200, axis=-1)
    assert np.all(black ^ kept)
    assert abs(black.mean() - below) < 0.05 * below + 0.001


@SEEDS
def test_coloured_noise_is_the_real_part_of_a_field_of_random_phases(seed: int) -> None:
    k = np.fft.fftfreq(48, 1 / 48)
    for channel in range(3):
        phases = bits(seed).uint16(48 * 48, lane=channel).reshape(48, 48) / 65536 * 2 * np.pi
        field = np.real(np.fft.ifft2(np.exp(1j * phases) / (k[:, None] ** 2 + k**2 + 1)))
        exact = 128 + 19.2 * field / field.std()
        made = brownish_noise(grey(48), [bits(seed)], 3)[0, ..., channel]
        assert_truncates(made, exact, 1e-4)
    blue = np.real(
        np.fft.ifft2(
            np.exp(1j * (bits(seed).uint16(48 * 48) / 65536 * 2 * np.pi)).reshape(48, 48) * np.hypot(k[:, None], k)
        )
    )
    expected = np.where(blue / blue.std() > 0.3 * 4 - 2.5, 128, 0)
    assert np.array_equal(blue_noise_sample(grey(48), [bits(seed)], 4)[0, ..., 0], expected)
