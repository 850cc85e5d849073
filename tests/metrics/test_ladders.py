from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_robust.metrics.monotone import largest_rise
from pytest_robust.metrics.trend import pearson, sides, spearman, weakest_side


def test_sides_of_scaling():
    assert sides([(0.5, 0.1), (1, 0.0), (2, 0.2), (4, 0.3)], "scaling") == [
        ([0.0, 1.0], [0.0, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 0.2, 0.3]),
    ]
    assert sides([(1, 0.1)], "imagenet-c") == [([0.0, 1.0], [0.0, 0.1])]


def test_the_weaker_side_speaks():
    rising, falling = [(2, 0.1), (4, 0.2), (8, 0.3)], [(0.5, 0.3), (0.25, 0.2), (0.125, 0.1)]
    assert weakest_side(rising, "scaling", spearman) == pytest.approx(1)
    both = weakest_side(rising + falling, "scaling", spearman)
    assert both == pytest.approx(stats.spearmanr([0, 1, 2, 3], [0, 0.3, 0.2, 0.1]).statistic)
    assert weakest_side([(2, 0.0), (4, 0.0)], "scaling", pearson) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=20))
def test_correlations_are_scipys(points):
    first, second = zip(*points, strict=True)
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert pearson(first, second) is None
        return
    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-9)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)


def test_largest_rise_by_hand():
    assert largest_rise([(1, 0.1), (2, 0.2), (3, 0.3)], "imagenet-c") == 0
    assert largest_rise([(1, -0.02), (2, 0.2)], "imagenet-c") == pytest.approx(0.02)
    # neighbours rise by 0.01 each, and severity 3 is 0.02 above severity 1
    assert largest_rise([(1, 0.30), (2, 0.29), (3, 0.28), (4, 0.5)], "imagenet-c") == pytest.approx(0.02)
    # enlarging and shrinking are two ladders
    assert largest_rise([(0.25, 0.3), (0.5, 0.2), (2, 0.1), (4, 0.2)], "scaling") == 0
    assert largest_rise([(0.25, 0.2), (0.5, 0.3)], "scaling") == pytest.approx(0.1)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8), st.randoms())
def test_largest_rise_is_the_worst_pair_in_any_order(drops, random):
    points = [(index + 1, drop / 100) for index, drop in enumerate(drops)]
    ladder = [0.0, *(drop / 100 for drop in drops)]
    worst = max(weaker - stronger for weaker, stronger in itertools.combinations(ladder, 2))
    random.shuffle(points)
    assert largest_rise(points, "imagenet-c") == pytest.approx(max(0, worst))
