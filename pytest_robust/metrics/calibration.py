"""Numbers from what a model's probabilities say of every sample: top-5 accuracy, calibration errors, proper scores.

`confidence` is the probability of the predicted class, float, shape (n,); `right` says whether that class is the true
one, bool, shape (n,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.measurement import Scores


def ece(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: the mean over samples of |accuracy - confidence| of their bin.

    Guo et al., arXiv 1706.04599. The bins have equal width over [0, 1] and own their lower edge; 1 is in the last.

    Raises:
        ValueError: the arrays are empty or do not fit each other, or a confidence is outside [0, 1].
    """
    gaps, shares = _bins(confidence, right, bins)
    return float(np.sum(shares * np.abs(gaps)))


def rmsce(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 100) -> float:
    """Root mean square calibration error: as `ece`, with the root of the mean of squares for the mean.

    arXiv 2305.05400, with bins of equal width as there.

    Raises:
        ValueError: as `ece`.
    """
    gaps, shares = _bins(confidence, right, bins)
    return float(np.sqrt(np.sum(shares * gaps**2)))


def top5_accuracy(scores: Scores) -> float:
    """Share of samples whose true class is among the five most probable."""
    return float(np.mean(scores.top5))


def mean_nll(scores: Scores) -> float | None:
    """Mean negative log-likelihood of the true class in nats; None where a sample has none."""
    return _mean(scores.nll)


def mean_brier(scores: Scores) -> float | None:
    """Brier's score of several classes, in [0, 2]: the mean over samples of the squared distance from the truth.

    Brier 1950, in its original form: the sum over the classes is not divided by their number. None where a sample has
    no squared distance.
    """
    return _mean(scores.brier)


def _mean(values: NDArray[np.floating]) -> float | None:
    found = float(np.mean(values, dtype=np.float64))
    return None if np.isnan(found) else found


def _bins(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per bin accuracy less confidence, and the share of the samples; empty bins have share 0."""
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(right):
        raise ValueError(f"confidence and right of shapes {confidence.shape} and {right.shape} are not both n")
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError("a confidence is outside [0, 1] or not a number")
    sure = confidence.astype(np.float64)
    index = np.minimum((sure * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    gap = np.bincount(index, weights=right - sure, minlength=bins)
    return gap / np.maximum(count, 1), count / len(right)
