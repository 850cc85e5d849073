from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, top_k_accuracy_score

from pytest_robust.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    root_mean_square_calibration_error,
    top_k_accuracy,
)

HAND = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.65, 0.2, 0.15]])
LABELS = np.array([0, 1, 1, 0])


def drawn(n: int = 400, classes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    return generator.dirichlet(np.full(classes, 0.3), n), generator.integers(0, classes, n).astype(np.uint16)


def test_by_hand():
    # ten bins: 0.9 alone, 0.6 and 0.65 together, 0.5 alone; right, one of two right, right
    assert expected_calibration_error(HAND, LABELS, 10) == pytest.approx((0.1 + 2 * abs(0.5 - 0.625) + 0.5) / 4)
    rms = math.sqrt((0.1**2 + 2 * 0.125**2 + 0.5**2) / 4)
    assert root_mean_square_calibration_error(HAND, LABELS, 10) == pytest.approx(rms)
    assert negative_log_likelihood(HAND, LABELS) == pytest.approx(-math.log(0.9 * 0.3 * 0.5 * 0.65) / 4)
    squares = (0.01 + 0.01) + (0.36 + 0.49 + 0.01) + (0.04 + 0.25 + 0.09) + (0.1225 + 0.04 + 0.0225)
    assert brier_score(HAND, LABELS) == pytest.approx(squares / 4)
    assert top_k_accuracy(HAND, LABELS, 1) == 0.75
    assert top_k_accuracy(HAND, LABELS, 2) == 1


def test_the_default_bins_by_brute_force():
    probabilities, labels = drawn()
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for metric, bins, power in (
        (expected_calibration_error, 15, 1),
        (root_mean_square_calibration_error, 100, 2),
    ):
        total = 0.0
        for low in range(bins):
            inside = (confidence >= low / bins) & (confidence < (low + 1) / bins)
            if inside.any():
                total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean()) ** power
        assert metric(probabilities, labels) == pytest.approx(total ** (1 / power))


def test_scores_are_scikit_learns():
    probabilities, labels = drawn()
    every = np.arange(12)
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(
        log_loss(labels, probabilities, labels=every)
    )
    assert top_k_accuracy(probabilities, labels) == top_k_accuracy_score(labels, probabilities, k=5, labels=every)
    assert brier_score(probabilities, labels) == pytest.approx(np.sum((probabilities - np.eye(12)[labels]) ** 2) / 400)


def test_extremes():
    sure = np.eye(3)
    assert expected_calibration_error(sure, np.arange(3)) == 0
    assert brier_score(sure, np.array([1, 2, 0])) == 2
    assert negative_log_likelihood(sure, np.array([1, 1, 2])) == math.inf
    assert expected_calibration_error(sure, np.array([1, 2, 0])) == 1
    # equals: the lower index comes first, as arg-max takes it
    even = np.full((2, 4), 0.25)
    assert top_k_accuracy(even, np.array([1, 2]), 2) == 0.5
    single = top_k_accuracy(even.astype(np.float32), np.array([0, 0], np.uint16), 1)
    assert single == 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (HAND, LABELS[:3], "are not N x K and N"),
        (HAND[0], LABELS, "are not N x K and N"),
        (np.zeros((0, 3)), np.zeros(0, int), "are not N x K and N"),
        (HAND, np.array([0, 1, 3, 0]), "a label is none of the 3 classes"),
        (HAND, np.array([0, 1, -1, 0]), "a label is none of the 3 classes"),
        (HAND * 2, LABELS, "not summing to 1"),
        (np.where(HAND == 0, np.nan, HAND), LABELS, "not a number"),
        (np.array([[1.5, -0.5]]), np.array([0]), "negative"),
    ],
)
def test_what_are_no_probabilities(probabilities, labels, message):
    for metric in (
        expected_calibration_error,
        root_mean_square_calibration_error,
        negative_log_likelihood,
        brier_score,
        top_k_accuracy,
    ):
        with pytest.raises(ValueError, match=message):
            metric(probabilities, labels)
    with pytest.raises(ValueError, match="top 6 of 3"):
        top_k_accuracy(HAND, LABELS, 6)
