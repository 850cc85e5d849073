"""Does accuracy fall as a shift grows stronger? Correlation of strength and drop, positive if it does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def strength(suite: str, severity: float) -> float:
    """How far a severity is from no shift: |log2 multiple| for scaling, the severity itself elsewhere."""
    return abs(math.log2(severity)) if suite == "scaling" else float(severity)


def pearson(strengths: Sequence[float], drops: Sequence[float]) -> float | None:
    """Pearson's correlation; None where either side does not vary."""
    if len(set(strengths)) < 2 or len(set(drops)) < 2:
        return None
    return float(np.corrcoef(strengths, drops)[0, 1])


def spearman(strengths: Sequence[float], drops: Sequence[float]) -> float | None:
    """Spearman's correlation: Pearson's of the ranks, ties sharing their mean rank."""
    return pearson(_ranks(strengths), _ranks(drops))


def sides(points: Sequence[tuple[float, float]], suite: str) -> list[tuple[list[float], list[float]]]:
    """The ladders of one shift as (strengths, drops): shrinking and enlarging apart for scaling, else a single one.

    Args:
        points: (severity, drop from clean) per cell; clean itself joins every side as strength 0, drop 0.
        suite: the suite, which decides what strength means.
    """
    parts = [points]
    if suite == "scaling":
        parts = [[point for point in points if point[0] < 1], [point for point in points if point[0] > 1]]
    return [
        ([0.0, *(strength(suite, severity) for severity, _ in part)], [0.0, *(drop for _, drop in part)])
        for part in parts
        if part
    ]


def weakest_side(
    points: Sequence[tuple[float, float]],
    suite: str,
    correlation: Callable[[Sequence[float], Sequence[float]], float | None],
) -> float | None:
    """The correlation over one ladder; of shrinking and enlarging apart, the smaller, for scaling.

    Args:
        points: as in `sides`.
        suite: the suite.
        correlation: `pearson` or `spearman`.

    Returns:
        None where a side does not vary, or there is none.
    """
    values = [correlation(strengths, drops) for strengths, drops in sides(points, suite)]
    return None if not values or None in values else min(value for value in values if value is not None)


def _ranks(values: Sequence[float]) -> list[float]:
    array = np.asarray(values, dtype=float)
    return [float((array < value).sum() + ((array == value).sum() + 1) / 2) for value in array]
