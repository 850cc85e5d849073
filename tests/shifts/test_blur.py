"""Gaussian blur against integers, and against scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.blur import gaussian_blur, kernel
from pytest_robust.shifts.filters import WEIGHT_BITS

SIGMAS = sorted(
    {
        pixel_shift("imagenet-c-extra", "gaussian_blur").resolve({"severity": s, "table": t}, 1, 1)["sigma"]
        for s, t in product(range(1, 6), (32, 64, 224))
    }
)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_bytes_are_those_of_whole_numbers(pictures: NDArray[np.uint8], sigma: float) -> None:
    weights = kernel(sigma)
    radius = len(weights) // 2
    # bright texture makes the largest sums
    bright = np.random.default_rng(0).integers(230, 256, (1, *pictures.shape[1:]), np.uint8)
    pictures = np.concatenate([pictures, bright])
    padded = np.pad(pictures.astype(np.int64), ((0, 0), (radius, radius), (radius, radius), (0, 0)), mode="edge")
    down = sum(int(w) * padded[:, i : i + pictures.shape[1]] for i, w in enumerate(weights))
    both = sum(int(w) * down[:, :, i : i + pictures.shape[2]] for i, w in enumerate(weights))
    expected = (both + (1 << (2 * WEIGHT_BITS - 10))) >> (2 * WEIGHT_BITS)
    assert np.array_equal(gaussian_blur(pictures, [], sigma=sigma), expected)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_it_is_scipys_filter_within_one_level(pictures: NDArray[np.uint8], sigma: float) -> None:
    expected = np.stack(
        [ndimage.gaussian_filter(one / 255, (sigma, sigma, 0), mode="nearest", truncate=4) for one in pictures]
    )
    made = gaussian_blur(pictures, [], sigma=sigma)
    assert np.abs(made + 0.5 - 255 * expected).max() < 0.55
    assert np.mean(made != np.floor(255 * expected + 2**-10)) < 0.01


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_kernel_sums_to_one_and_hangs_on_no_last_bit(sigma: float) -> None:
    weights = kernel(sigma)
    assert weights.sum() == 1 << WEIGHT_BITS
    assert weights.min() >= 0
    assert np.array_equal(weights, weights[::-1])
    assert len(weights) == 2 * int(4 * sigma + 0.5) + 1
    bell = np.exp(-0.5 * (np.arange(len(weights)) - len(weights) // 2) ** 2 / sigma**2)
    scaled = bell / bell.sum() * (1 << WEIGHT_BITS)
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-9


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_a_flat_image_keeps_its_level(level: int) -> None:
    flat = np.full((1, 5, 3, 3), level, np.uint8)
    assert np.array_equal(gaussian_blur(flat, [], sigma=6), flat)
