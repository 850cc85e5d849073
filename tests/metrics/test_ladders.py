from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_robust.metrics.monotone import largest_rise
from pytest_robust.metrics.trend import pearson, sides, spearman, weakest_side
from pytest_robust.spec.ladders import strength


def test_two_sides_are_two_ladders():
    assert sides([2, -1, 0, 1]) == [([0.0, 1.0], [1], True), ([0.0, 1.0, 2.0], [3, 0], False)]
    assert sides([3, 1]) == [([0.0, 1.0, 3.0], [1, 0], False)]
    shrinking, enlarging = sides([2, -1, 0, 1])
    drops = np.array([[0.3, 0.1, 0.0, 0.2], [0.6, 0.5, 0.4, 0.3]])
    assert shrinking.drops(drops).tolist() == [[0, 0.1], [0, 0.5]]
    assert enlarging.drops(drops).tolist() == [[0, 0.2, 0.3], [0, 0.3, 0.6]]


def test_the_weaker_side_speaks():
    rising, falling = ([1, 2, 3], [0.1, 0.2, 0.3]), ([-1, -2, -3], [0.3, 0.2, 0.1])
    assert weakest_side(*rising, spearman) == pytest.approx(1)
    both = weakest_side(rising[0] + falling[0], rising[1] + falling[1], spearman)
    assert both == pytest.approx(stats.spearmanr([0, 1, 2, 3], [0, 0.3, 0.2, 0.1]).statistic)


def test_a_side_that_does_not_vary_leaves_the_other():
    assert weakest_side([1, 2, -1], [0.1, 0.2, 0.0], pearson) == pytest.approx(1)
    assert weakest_side([1, -1, -2], [0.0, -0.1, -0.2], pearson) == pytest.approx(-1)
    for strengths, drops in (([1, 2], [0.0, 0.0]), ([1, -1], [0.0, 0.0]), ([0], [0.1])):
        assert np.isnan(weakest_side(strengths, drops, pearson))


def test_strength_is_the_distance_from_clean():
    assert [strength("fourier", "low_pass", radius) for radius in (1, 0.5, 0.1)] == pytest.approx([0, 0.5, 0.9])
    assert [strength("scaling", "down_up", multiple) for multiple in (0.25, 1, 2)] == [-2, 0, 1]
    assert strength("resolution", "resize", 0.5) == -1
    for suite, shift in (
        ("fourier", "high_pass"),
        ("fourier", "single_frequency"),
        ("fourier", "amplitude_swap"),
        ("lp-noise", "l2"),
        ("imagenet-c", "fog"),
        ("imagenet-c-bar", "plasma_noise"),
    ):
        assert strength(suite, shift, 0.3) == 0.3
    for suite, shift in (("si-score", "size"), ("si-score", "rotation"), ("fourier", "phase_swap")):
        assert strength(suite, shift, 1) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=20))
def test_correlations_are_scipys(points):
    first, second = zip(*points, strict=True)
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert np.isnan(pearson(first, second))
        return
    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-9)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)


def test_many_draws_at_once_are_each_by_itself():
    draws = np.random.default_rng(0).integers(0, 5, (200, 5)) / 10
    severities = [1, 2, 3, 4, 5]
    for correlation in (pearson, spearman):
        found = weakest_side(severities, draws, correlation)
        alone = [weakest_side(severities, draw, correlation) for draw in draws]
        assert found == pytest.approx(np.array(alone), nan_ok=True)
    rises = largest_rise(severities, draws)
    assert rises.tolist() == [float(largest_rise(severities, draw)) for draw in draws]


def test_largest_rise_by_hand():
    assert largest_rise([1, 2, 3], [0.1, 0.2, 0.3]) == 0
    assert largest_rise([1, 2], [-0.02, 0.2]) == pytest.approx(0.02)
    # neighbours rise by 0.01 each, and severity 3 is 0.02 above severity 1
    assert largest_rise([1, 2, 3, 4], [0.30, 0.29, 0.28, 0.5]) == pytest.approx(0.02)
    # enlarging and shrinking are two ladders
    assert largest_rise([-2, -1, 1, 2], [0.3, 0.2, 0.1, 0.2]) == 0
    assert largest_rise([-2, -1], [0.2, 0.3]) == pytest.approx(0.1)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8), st.randoms())
def test_largest_rise_is_the_worst_pair_in_any_order(drops, random):
    points = [(index + 1, drop / 100) for index, drop in enumerate(drops)]
    ladder = [0.0, *(drop / 100 for drop in drops)]
    worst = max(weaker - stronger for weaker, stronger in itertools.combinations(ladder, 2))
    random.shuffle(points)
    severities, shuffled = zip(*points, strict=True)
    assert largest_rise(severities, shuffled) == pytest.approx(max(0, worst))
