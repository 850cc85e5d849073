"""Robustness against accuracy over models: the frontier, and the line through it (arXiv 1808.01688)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class LogErrorFit(NamedTuple):
    """``distortion = a * ln(1 - accuracy) + b``; `r2` is None where the distortions are all equal."""

    a: float
    b: float
    r2: float | None


def frontier(accuracy: ArrayLike, distortion: ArrayLike) -> NDArray[np.bool_]:
    """Which models no other one beats: none is at least as good in both and better in one.

    Args:
        accuracy: per model.
        distortion: that it takes to fool it, per model; the larger the more robust.

    Raises:
        ValueError: the lengths differ, or a value is NaN.
    """
    accuracies, distortions = _checked(accuracy, distortion)
    as_good = (accuracies[None] >= accuracies[:, None]) & (distortions[None] >= distortions[:, None])
    better = (accuracies[None] > accuracies[:, None]) | (distortions[None] > distortions[:, None])
    return np.logical_not((as_good & better).any(axis=1))


def fit_log_error(accuracy: ArrayLike, distortion: ArrayLike) -> LogErrorFit:
    """Least squares of distortion on the logarithm of the error; the survey fits the models of the frontier.

    Raises:
        ValueError: the lengths differ, a value is NaN, an accuracy is outside [0, 1), or fewer than two differ.
    """
    accuracies, distortions = _checked(accuracy, distortion)
    if not np.all((accuracies >= 0) & (accuracies < 1)) or len(np.unique(accuracies)) < 2:
        raise ValueError("a fit against ln(1 - accuracy) needs two different accuracies or more, all below 1")
    logs = np.log1p(-accuracies)
    x, y = logs - logs.mean(), distortions - distortions.mean()
    a = float((x * y).sum() / (x * x).sum())
    total = float((y * y).sum())
    r2 = 1 - float(((y - a * x) ** 2).sum()) / total if np.ptp(distortions) > 0 else None
    return LogErrorFit(a, float(distortions.mean() - a * logs.mean()), r2)


def _checked(accuracy: ArrayLike, distortion: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    accuracies, distortions = np.asarray(accuracy, np.float64), np.asarray(distortion, np.float64)
    if accuracies.ndim != 1 or accuracies.shape != distortions.shape:
        raise ValueError(f"accuracy and distortion of shapes {accuracies.shape} and {distortions.shape} are not both n")
    if np.isnan(accuracies).any() or np.isnan(distortions).any():
        raise ValueError("an accuracy or a distortion is undefined (NaN): leave such models out")
    return accuracies, distortions
