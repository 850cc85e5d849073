from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from pytest_robust.verdict import mcnemar_midp, sign_flip_midp


def every_pattern(changes: np.ndarray) -> float:
    """The mid-p over all 2^n patterns of signs, one by one."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(changes))))
    sums = signs @ np.abs(changes)
    equal = np.isclose(sums, changes.sum(), rtol=0, atol=1e-9)
    return float(np.mean((sums > changes.sum()) & ~equal) + np.mean(equal) / 2)


@settings(deadline=None)
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=11))
def test_whole_numbers_against_every_pattern(changes):
    array = np.array(changes)
    wanted = every_pattern(array[array != 0]) if array.any() else 1.0
    assert sign_flip_midp(array) == pytest.approx(wanted, rel=1e-9, abs=1e-15)


@settings(deadline=None)
@given(st.lists(st.integers(-2000, 2000), min_size=8, max_size=12))
def test_other_numbers_against_every_pattern(changes):
    array = np.array(changes) / 777
    # The lattice may take sums apart, or together, that are within its step of each other.
    step = np.linalg.norm(array) / 1024 * len(array)
    signs = np.array(list(itertools.product((1, -1), repeat=len(array))))
    sums = signs @ np.abs(array)
    low, high = np.mean(sums > array.sum() + step), np.mean(sums > array.sum() - step)
    if array.any():
        assert low - 1e-12 <= sign_flip_midp(array) <= high + 1e-12


@pytest.mark.parametrize(
    ("b", "c"), [(1, 0), (0, 3), (9, 5), (40, 22), (7, 7), (273, 128), (500, 0), (700, 2), (3000, 2000), (20000, 19000)]
)
def test_one_cell_is_mcnemars_test(b, c):
    flips = np.array([1] * b + [-1] * c + [0] * 5)
    np.random.default_rng(0).shuffle(flips)
    assert sign_flip_midp(flips) == pytest.approx(mcnemar_midp(b, c), rel=1e-10)
    exact = binomtest(b, b + c, 0.5, alternative="greater").pvalue
    assert sign_flip_midp(flips) <= exact
    # A common factor changes nothing: 75 cells that always flip together are one.
    assert sign_flip_midp(75 * flips) == pytest.approx(sign_flip_midp(flips), rel=1e-12)
    assert sign_flip_midp(flips / 3.0) == pytest.approx(sign_flip_midp(flips), rel=1e-6)


def test_against_scipys_permutations():
    changes = np.random.default_rng(3).integers(-4, 7, 60).astype(float)
    drawn = permutation_test(
        (changes,), np.sum, permutation_type="samples", n_resamples=40_000, alternative="greater", rng=1
    )
    sums = drawn.null_distribution
    midp = np.mean(sums > changes.sum()) + np.mean(sums == changes.sum()) / 2
    assert sign_flip_midp(changes.astype(int)) == pytest.approx(midp, abs=4 * np.sqrt(midp / 40_000))


@given(st.lists(st.integers(-75, 75), min_size=1, max_size=80), st.randoms())
def test_order_and_direction(changes, random):
    array = np.array(changes)
    p = sign_flip_midp(array)
    assert 0 <= p <= 1
    if array.any():
        assert sign_flip_midp(-array) == pytest.approx(1 - p, abs=1e-12)
    random.shuffle(changes)
    assert sign_flip_midp(np.array(changes)) == p


def test_nothing_changed_and_what_is_no_number():
    assert sign_flip_midp(np.zeros(10, int)) == 1
    assert sign_flip_midp(np.zeros(10)) == 1
    assert sign_flip_midp(np.zeros(0, int)) == 1
    with pytest.raises(ValueError, match="not finite"):
        sign_flip_midp(np.array([1.0, np.nan]))


def test_the_whole_of_imagenet_takes_a_moment():
    generator = np.random.default_rng(0)
    changes = generator.integers(-40, 41, 50_000) * (generator.random(50_000) < 0.2)
    start = time.process_time()
    whole, rounded = sign_flip_midp(changes), sign_flip_midp(changes * 0.0123)
    assert time.process_time() - start < 3
    assert rounded == pytest.approx(whole, rel=0.05)


def test_size_of_the_test_where_cells_move_together():
    """An image that flips in 25 of 75 cells is one piece of evidence, not 25."""
    generator = np.random.default_rng(11)
    images, naive, runs = 0, 0, 1500
    for _ in range(runs):
        changes = generator.binomial(75, 0.4, 60) * generator.choice((-1, 1), 60)
        images += sign_flip_midp(changes) <= 0.05
        naive += mcnemar_midp(int(changes[changes > 0].sum()), int(-changes[changes < 0].sum())) <= 0.05
    assert images / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert images / runs > 0.03
    assert naive / runs > 0.3
