"""Noise against the paper's rules: exactly, for every random word, and against the laws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.noise import (
    gaussian_noise,
    impulse_noise,
    shot_cumulative,
    shot_noise,
    shot_outcomes,
    speckle_noise,
)
from pytest_robust.shifts.quantiles import SIZE, normal
from pytest_robust.shifts.rng import Streams

STDS = [0.04, 0.08, 0.18, 0.38]
TABLES = product((224, 64, 32), range(1, 6))
SHOT = pixel_shift("imagenet-c", "shot_noise")
RATES = sorted({SHOT.resolve({"severity": severity, "table": table}, 1, 1)["rate"] for table, severity in TABLES})


class EveryWord:
    """Bits that count: on 256 x 256 x 3 values every word comes exactly three times."""

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        return (np.arange(count) % SIZE).astype(np.uint16)


def flat(level: int) -> NDArray[np.uint8]:
    return np.full((1, 256, 256, 3), level, np.uint8)


def truncated(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.floor(np.clip(x, 0, 1) * 255 + 2**-10)


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_gaussian_noise_is_the_rule_for_every_word(std: float, level: int) -> None:
    made = gaussian_noise(flat(level), [EveryWord()], std=std)
    noise = np.tile(normal().astype(np.float64), 3).reshape(made.shape) * std
    # one noise of 65,536, a tie with the guard, falls on either side by the order of the multiplications
    off = made - truncated(level / 255 + noise)
    assert np.abs(off).max() <= 1
    assert np.count_nonzero(off) <= 3


@pytest.mark.parametrize("std", [0.06, 0.15, 0.35, 0.6])
@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_speckle_noise_is_the_rule_for_every_word(std: float, level: int) -> None:
    made = speckle_noise(flat(level), [EveryWord()], std=std).astype(int)
    noise = np.tile(normal().astype(np.float64), 3).reshape(made.shape) * std
    expected = truncated(level / 255 * (1 + noise))
    # fixed point: a value within 2**-13 of a whole level may fall on its other side
    assert np.abs(made - expected).max() <= 1
    assert np.mean(made != expected) < 2**-12


@pytest.mark.parametrize("amount", [0.01, 0.03, 0.09, 0.27])
def test_impulse_noise_meets_its_amount_with_equal_halves(amount: float) -> None:
    made = impulse_noise(flat(100), [EveryWord()], amount=amount)
    black, white = np.count_nonzero(made == 0), np.count_nonzero(made == 255)
    assert black == white
    assert made.ravel()[0] == 0, "the lowest words are black"
    assert abs(black + white - amount * made.size) <= 3
    assert np.count_nonzero(made == 100) == made.size - black - white


@pytest.mark.parametrize("rate", RATES)
def test_the_shares_of_shot_noise_are_those_of_the_poisson_law(rate: float) -> None:
    cumulative = shot_cumulative(rate)
    counts = np.arange(int(np.ceil(rate)))
    expected = stats.poisson.cdf(counts, np.arange(256)[:, None] / 255 * rate)
    assert np.abs(cumulative[:, :-1] - expected).max() < 1e-12
    outcomes = shot_outcomes(rate).reshape(256, SIZE)
    assert outcomes.nbytes <= 16 << 20
    assert np.all(np.diff(outcomes[::15].astype(int), axis=1) >= 0)
    levels = np.floor(np.minimum(np.arange(int(np.ceil(rate)) + 1) / rate, 1) * 255 + 2**-10)
    for pixel in (0, 1, 7, 100, 200, 255):
        for level in np.unique(levels):
            largest = np.flatnonzero(levels == level)[-1]
            share = 1 if level == 255 else stats.poisson.cdf(largest, pixel / 255 * rate)
            assert np.searchsorted(outcomes[pixel], level, side="right") == np.rint(share * SIZE)


@pytest.mark.parametrize("rate", RATES)
def test_no_share_of_shot_noise_hangs_on_a_last_bit(rate: float) -> None:
    scaled = shot_cumulative(rate)[:, :-1] * SIZE
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-9


def test_shot_noise_looks_up_pixel_and_word() -> None:
    made = shot_noise(flat(77), [EveryWord()], rate=12)
    assert np.array_equal(made.ravel()[:SIZE], shot_outcomes(12).reshape(256, SIZE)[77])


@pytest.mark.parametrize("rate", [3, 12, 60])
def test_shot_noise_has_the_mean_and_the_variance_of_the_rule(rate: int) -> None:
    level = 51 * 255 // 255
    bits = [Streams(5, "shot_noise", {}).for_id("a")]
    made = shot_noise(np.full((1, 200, 200, 3), level, np.uint8), bits, rate=rate) / 255
    counts = np.arange(400)
    law = stats.poisson(level / 255 * rate)
    values = truncated(counts / rate) / 255
    mean = np.sum(law.pmf(counts) * values)
    deviation = np.sqrt(np.sum(law.pmf(counts) * values**2) - mean**2)
    assert abs(made.mean() - mean) < 4 * deviation / np.sqrt(made.size)
    assert abs(made.std() / deviation - 1) < 0.02


@pytest.mark.parametrize("std", STDS)
def test_gaussian_noise_follows_the_normal_law(std: float) -> None:
    bits = [Streams(11, "gaussian_noise", {}).for_id("a")]
    made = gaussian_noise(np.full((1, 200, 200, 3), 128, np.uint8), bits, std=std).ravel()
    levels = np.arange(255)
    share = np.searchsorted(np.sort(made), levels, side="right") / made.size
    law = stats.norm.cdf((levels + 1 - 128) / (std * 255))
    assert np.abs(share - law).max() < 1.63 / np.sqrt(made.size)


def test_impulse_noise_strikes_channels_apart() -> None:
    bits = [Streams(2, "impulse_noise", {}).for_id("a")]
    struck = impulse_noise(np.full((1, 200, 200, 3), 100, np.uint8), bits, amount=0.27)[0] != 100
    together = np.mean(struck[..., 0] & struck[..., 1])
    assert abs(together - 0.27**2) < 0.006
