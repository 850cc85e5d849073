from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_robust.measurement import Scores
from pytest_robust.metrics.calibration import ece, mean_brier, mean_nll, rmsce, top5_accuracy

# ten bins: 0.9 alone and right, 0.6 wrong and 0.65 right together, 0.5 alone and right
CONFIDENCE = np.array([0.9, 0.6, 0.5, 0.65], np.float32)
RIGHT = np.array([True, False, True, True])


def scores(nll: list[float], brier: list[float]) -> Scores:
    n = len(nll)
    return Scores(np.arange(n) % 4 > 0, np.ones(n, np.float32), np.float32(nll), np.float32(brier))


def test_by_hand():
    assert ece(CONFIDENCE, RIGHT, 10) == pytest.approx((0.1 + 2 * 0.125 + 0.5) / 4)
    assert rmsce(CONFIDENCE, RIGHT, 10) == pytest.approx(math.sqrt((0.1**2 + 2 * 0.125**2 + 0.5**2) / 4))
    made = scores([0.5, 1, 2, 0.5], [0, 2, 0.5, 0.5])
    assert (top5_accuracy(made), mean_nll(made), mean_brier(made)) == (0.75, 1, 0.75)


def test_the_default_bins_by_brute_force():
    generator = np.random.default_rng(7)
    confidence, right = generator.random(400), generator.random(400) < 0.6
    for metric, bins, power in ((ece, 15, 1), (rmsce, 100, 2)):
        total = 0.0
        for low in range(bins):
            inside = (confidence >= low / bins) & (confidence < (low + 1) / bins)
            if inside.any():
                total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean()) ** power
        assert metric(confidence, right) == pytest.approx(total ** (1 / power))


def test_extremes():
    sure, never = np.ones(3, np.float32), np.zeros(3, np.bool_)
    assert ece(sure, ~never) == rmsce(sure, ~never) == 0
    assert ece(sure, never) == rmsce(sure, never) == 1
    # 1 shares the last bin with what is just below it
    assert ece(np.array([1, 0.99]), np.array([False, True])) == pytest.approx(abs(0.5 - 0.995))


def test_what_no_sample_has_is_no_mean():
    made = scores([0.5, math.nan], [1, math.nan])
    assert mean_nll(made) is mean_brier(made) is None


def test_many_small_values_are_summed_exactly():
    """A million times the float32 nearest to 0.1: summed in float32 the mean is off in the third digit."""
    tenth = np.full(1_000_000, 0.1, np.float32)
    made = Scores(np.ones(1_000_000, np.bool_), tenth, tenth, tenth)
    assert mean_nll(made) == mean_brier(made) == pytest.approx(float(np.float32(0.1)), rel=1e-12)
    assert ece(tenth, np.zeros(1_000_000, np.bool_)) == pytest.approx(float(np.float32(0.1)), rel=1e-9)


@given(
    st.integers(1, 60).flatmap(
        lambda n: st.tuples(arrays(np.float32, n, elements=st.floats(0, 1, width=32)), arrays(np.bool_, n))
    )
)
def test_the_root_of_squares_is_never_less_and_the_order_of_samples_no_matter(given_arrays):
    confidence, right = given_arrays
    assert 0 <= ece(confidence, right, 20) <= rmsce(confidence, right, 20) + 1e-12 <= 1 + 1e-9
    assert ece(confidence[::-1], right[::-1]) == pytest.approx(ece(confidence, right), abs=1e-12)


@pytest.mark.parametrize(
    ("confidence", "right", "message"),
    [
        (CONFIDENCE, RIGHT[:3], r"shapes \(4,\) and \(3,\) are not both n"),
        (CONFIDENCE[:0], RIGHT[:0], "are not both n"),
        (CONFIDENCE[None], RIGHT[None], "are not both n"),
        (CONFIDENCE * 2, RIGHT, r"outside \[0, 1\]"),
        (-CONFIDENCE, RIGHT, r"outside \[0, 1\]"),
        (np.where(RIGHT, np.nan, CONFIDENCE), RIGHT, "not a number"),
    ],
)
@pytest.mark.parametrize("metric", [ece, rmsce])
def test_what_is_no_confidence(metric, confidence, right, message):
    with pytest.raises(ValueError, match=message):
        metric(confidence, right)
