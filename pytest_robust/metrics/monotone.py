"""Does accuracy never rise as a shift grows stronger?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.metrics.trend import sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def largest_rise(strengths: Sequence[float], drops: ArrayLike) -> NDArray[np.float64]:
    """The most that accuracy rises from one severity, or from clean, to any stronger one; 0 if it never does.

    Neighbours alone would miss a slow climb over several severities.

    Args:
        strengths: as in `sides`; two sides are judged apart.
        drops: from clean, shape (..., severities).

    Returns:
        Shape (...).
    """
    largest = np.zeros(np.shape(drops)[:-1])
    for side in sides(strengths):
        ladder = side.drops(drops)
        rises = np.maximum.accumulate(ladder, axis=-1) - ladder
        largest = np.maximum(largest, rises.max(axis=-1))
    return largest
