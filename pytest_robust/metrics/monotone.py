"""Does accuracy never rise as a shift grows stronger?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.metrics.trend import sides

if TYPE_CHECKING:
    from collections.abc import Sequence


def largest_rise(points: Sequence[tuple[float, float]], suite: str) -> float:
    """The most that accuracy rises from one severity, or from clean, to any stronger one; 0 if it never does.

    Neighbours alone would miss a slow climb over several severities.

    Args:
        points: (severity, drop from clean) per cell, in any order.
        suite: the suite, which decides what strength means; scaling has two sides, judged apart.
    """
    largest = 0.0
    for strengths, drops in sides(points, suite):
        deepest = 0.0
        for _, drop in sorted(zip(strengths, drops, strict=True)):
            largest = max(largest, deepest - drop)
            deepest = max(deepest, drop)
    return largest
