"""The frontier and the log-error line, by hand and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress

from pytest_robust.metrics.pareto import fit_log_error, frontier


def test_the_frontier_by_hand() -> None:
    accuracy = [0.5, 0.6, 0.7, 0.6, 0.4]
    distortion = [0.9, 0.8, 0.2, 0.7, 0.9]
    # the fourth is beaten by the second, the last by the first at an equal distortion
    assert frontier(accuracy, distortion).tolist() == [True, True, True, False, False]
    assert frontier([0.5, 0.5], [0.1, 0.1]).tolist() == [True, True], "equals beat no one"
    assert frontier([], []).tolist() == []


def test_a_line_is_found_exactly() -> None:
    accuracy = np.array([0.5, 0.7, 0.9])
    made = fit_log_error(accuracy, 0.029 * np.log(1 - accuracy) + 0.062)
    assert made == pytest.approx((0.029, 0.062, 1.0))


def test_against_scipy() -> None:
    accuracy, distortion = np.array([0.1, 0.55, 0.7, 0.72, 0.8]), np.array([3, 2.2, 2.0, 2.4, 1.0])
    other = linregress([math.log(1 - one) for one in accuracy], distortion)
    assert fit_log_error(accuracy, distortion) == pytest.approx((other.slope, other.intercept, other.rvalue**2))


def test_distortions_that_do_not_vary_have_no_r2() -> None:
    assert fit_log_error([0.1, 0.5], [2.0, 2.0]) == (0.0, 2.0, None)


@pytest.mark.parametrize(
    ("accuracy", "distortion", "words"),
    [
        ([0.5, 1.0], [1.0, 2.0], "all below 1"),
        ([0.5, 0.5], [1.0, 2.0], "two different accuracies"),
        ([0.5], [1.0], "two different accuracies"),
        ([0.5, 0.6], [1.0], "not both n"),
        ([0.5, 0.6], [1.0, math.nan], "undefined"),
    ],
)
def test_what_has_no_line(accuracy: list[float], distortion: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_log_error(accuracy, distortion)
