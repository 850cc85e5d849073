"""Phase reliance: does a classifier follow the phase of an image, or its amplitude spectrum?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def phase_reliance(
    predicted: NDArray[np.uint16], phase: NDArray[np.uint16], amplitude: NDArray[np.uint16]
) -> float | None:
    """Accuracy by the phase owner's label less accuracy by the amplitude owner's, on images that have both.

    Made for the swaps of Chen et al. (arXiv 2108.08487): 1 follows the phase alone, -1 the amplitude alone. Pairs of
    one class say nothing and are left out.

    Args:
        predicted: predicted classes, shape (n,).
        phase: the class of the image that gave the phase, shape (n,).
        amplitude: the class of the image that gave the amplitude, shape (n,).

    Returns:
        In [-1, 1]; None where no pair has two classes.

    Raises:
        ValueError: the arrays differ in shape.
    """
    if not predicted.shape == phase.shape == amplitude.shape:
        raise ValueError("predictions and the labels of phase and amplitude have different shapes")
    telling = phase != amplitude
    if not telling.any():
        return None
    return float(np.mean(predicted[telling] == phase[telling]) - np.mean(predicted[telling] == amplitude[telling]))
