from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_robust.verdict import PairedCell, reduction_interval

N = 800
IDS = tuple(map(str, range(N)))


def pair(first: np.ndarray, second: np.ndarray, weight: float = 1.0, samples: str = "a") -> PairedCell:
    return PairedCell(samples, IDS[: len(first)], first, second, weight)


def test_the_interval_is_scipys_bootstrap_of_the_ratio():
    rng = np.random.default_rng(2)
    hard = rng.random(N) < 0.4
    cells = [pair(~hard | (rng.random(N) < 0.3), ~hard | (rng.random(N) < 0.5), 0.25) for _ in range(4)]
    errors = [
        np.mean([1 - side for side in sides], axis=0)
        for sides in zip(*((c.first, c.second) for c in cells), strict=True)
    ]
    drawn = stats.bootstrap(
        errors,
        lambda theirs, ours, axis: 1 - ours.mean(axis=axis) / theirs.mean(axis=axis),
        paired=True,
        vectorized=True,
        confidence_level=0.9,
        method="percentile",
        rng=1,
    ).confidence_interval
    low, high = reduction_interval(cells, 0.05)
    assert (low, high) == pytest.approx((drawn.low, drawn.high), abs=0.1 * (drawn.high - drawn.low))
    assert low < 1 - errors[1].mean() / errors[0].mean() < high
    assert reduction_interval(cells, 0.05) == (low, high)


def test_it_covers_as_often_as_it_says():
    rng = np.random.default_rng(8)
    runs, missed = 300, 0
    for _ in range(runs):
        theirs = rng.random(200) >= 0.3
        ours = np.where(theirs, rng.random(200) >= 0.05, rng.random(200) < 0.4)
        low, high = reduction_interval([pair(theirs, ours)], 0.05)
        # errors 0.3 and 0.7 * 0.05 + 0.3 * 0.6
        missed += not low <= 1 - 0.215 / 0.3 <= high
    assert 0.03 < missed / runs < 0.10 + 3 * np.sqrt(0.09 / runs)


def test_cells_of_other_samples_keep_their_numbers():
    rng = np.random.default_rng(1)
    large = pair(rng.random(N) < 0.7, rng.random(N) < 0.8, 0.5)
    small = PairedCell("b", tuple("qrstuvwxyz"), rng.random(10) < 0.5, rng.random(10) < 0.6, 0.5)
    together, alone = reduction_interval([large, small], 0.05), reduction_interval([large], 0.05)
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_few_errors_leave_doubt():
    right = np.ones(20, bool)
    low, high = reduction_interval([pair(right, right)], 0.05)
    assert low < 0
    assert high > 0
    with pytest.raises(ValueError, match="not in"):
        reduction_interval([pair(right, right)], 0.0)
