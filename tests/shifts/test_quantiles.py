"""The table of normal quantiles: its law, and that no machine can make another one."""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import numpy as np
from scipy import stats
from scipy.special import ndtri

from pytest_robust.shifts.quantiles import GRID, SIZE, normal


def test_it_has_mean_0_and_variance_1_and_the_normal_kurtosis() -> None:
    table = normal().astype(np.float64)
    assert table.shape == (SIZE,)
    assert np.array_equal(table, -table[::-1])
    assert np.all(np.diff(table) > 0)
    assert abs(np.mean(table**2) - 1) < 1e-6
    assert abs(np.mean(table**4) - 3) < 0.01
    assert abs(np.interp(0.975, (np.arange(SIZE) + 0.5) / SIZE, table) - 1.959964) < 1e-4
    assert 4.2 < table[-1] < 4.4


def test_it_follows_the_normal_law() -> None:
    assert stats.kstest(normal(), "norm").statistic < 2 / SIZE


def test_the_neighbours_are_as_near_as_the_docstring_says() -> None:
    gaps = np.diff(normal().astype(np.float64)) * 0.38 * 255
    assert gaps.min() < 0.004
    within_two = np.abs(normal()[1:]) < 2
    assert gaps[within_two].max() < 0.03


def test_every_entry_is_a_multiple_of_the_grid_and_far_from_the_next() -> None:
    table = normal().astype(np.float64) * GRID
    assert np.array_equal(table, np.rint(table))
    lower = ndtri((np.arange(SIZE // 2) + 0.5) / SIZE)
    exact = lower / np.sqrt(np.mean(lower**2)) * GRID
    # ndtri is good to 1e-15, 5e-9 of the grid: no library or instruction set can round an entry otherwise
    assert np.abs(np.abs(exact - np.floor(exact)) - 0.5).min() > 1e-7


def test_another_algorithm_gives_the_same_table() -> None:
    exact = NormalDist()
    lower = np.array([exact.inv_cdf((k + 0.5) / SIZE) for k in range(SIZE // 2)])
    square = sum(map(Fraction, (lower**2).tolist())) / len(lower)
    assert np.array_equal(np.rint(lower / float(square) ** 0.5 * GRID) / GRID, normal()[: SIZE // 2])
