"""Numbers from class probabilities: top-k accuracy, calibration errors, proper scores.

All take `probabilities`, float, shape (N, K), rows that sum to 1, and `labels`, the true classes, shape (N,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.integer]
    Probabilities = NDArray[np.floating]

_SUM_TOLERANCE = 1e-3


def top_k_accuracy(probabilities: Probabilities, labels: Labels, k: int = 5) -> float:
    """Share of samples whose true class is among the k most probable; of equals the lower index comes first.

    Raises:
        ValueError: the arguments do not fit each other, or `k` is not in 1..K.
    """
    own = _of_label(probabilities, labels)[:, None]
    if not 1 <= k <= probabilities.shape[1]:
        raise ValueError(f"top {k} of {probabilities.shape[1]} classes is not possible")
    before = np.arange(probabilities.shape[1]) < np.asarray(labels)[:, None]
    rank = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
    return float(np.mean(rank < k))


def expected_calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15) -> float:
    """ECE: the mean over samples of |accuracy - confidence| of their bin (Guo et al., arXiv 1706.04599).

    Confidence is the largest probability; the bins have equal width over [0, 1] and own their lower edge.

    Raises:
        ValueError: the arguments do not fit each other.
    """
    gaps, shares = _bins(probabilities, labels, bins)
    return float(np.sum(shares * np.abs(gaps)))


def root_mean_square_calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 100) -> float:
    """RMSCE: the root of the mean over samples of (accuracy - confidence)^2 of their bin, bins as in the ECE.

    Raises:
        ValueError: the arguments do not fit each other.
    """
    gaps, shares = _bins(probabilities, labels, bins)
    return float(np.sqrt(np.sum(shares * gaps**2)))


def negative_log_likelihood(probabilities: Probabilities, labels: Labels) -> float:
    """NLL in nats: the mean of -log of the true class's probability; infinite where one of them is 0.

    Raises:
        ValueError: the arguments do not fit each other.
    """
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.log(_of_label(probabilities, labels).astype(np.float64))))


def brier_score(probabilities: Probabilities, labels: Labels) -> float:
    """Brier's score of several classes: the mean of the squared distance from the true class, in [0, 2].

    Raises:
        ValueError: the arguments do not fit each other.
    """
    own = _of_label(probabilities, labels).astype(np.float64)
    return float(np.mean(np.sum(np.square(probabilities, dtype=np.float64), axis=1) - 2 * own + 1))


def _of_label(probabilities: Probabilities, labels: Labels) -> Probabilities:
    """The true class's probability per sample, after checking the arguments."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        shapes = f"{probabilities.shape} and {labels.shape}"
        raise ValueError(f"probabilities and labels of shapes {shapes} are not N x K and N")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"a label is none of the {probabilities.shape[1]} classes")
    if not (probabilities.min() >= 0 and np.all(np.abs(probabilities.sum(axis=1) - 1) < _SUM_TOLERANCE)):
        raise ValueError("the rows are not probabilities: negative, not a number, or not summing to 1")
    own: Probabilities = np.take_along_axis(probabilities, labels[:, None].astype(np.int64), axis=1)[:, 0]
    return own


def _bins(probabilities: Probabilities, labels: Labels, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per bin accuracy less confidence, and the share of the samples; empty bins have share 0."""
    _of_label(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    gap = np.bincount(index, weights=right - confidence, minlength=bins)
    return gap / np.maximum(count, 1), count / len(labels)
