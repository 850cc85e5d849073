"""Phase reliance: does a classifier follow the phase of an image, or its amplitude spectrum?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Followed(NamedTuple):
    """Shares of predictions that are the class of the phase's owner, and of the amplitude's, of `n` mixed images."""

    phase: float
    amplitude: float
    n: int

    @property
    def reliance(self) -> float:
        """In [-1, 1]: 1 follows the phase alone, -1 the amplitude alone."""
        return self.phase - self.amplitude


def followed(
    predicted: NDArray[np.uint16], phase: NDArray[np.uint16], amplitude: NDArray[np.uint16]
) -> Followed | None:
    """Which owner's class is predicted, over images whose two owners are of two classes.

    Made for the swaps of Chen et al. (arXiv 2108.08487). Pairs of one class say nothing and are left out.

    Args:
        predicted: predicted classes, shape (n,).
        phase: the class of the image that gave the phase, shape (n,).
        amplitude: the class of the image that gave the amplitude, shape (n,).

    Returns:
        The two shares; None where no pair has two classes.

    Raises:
        ValueError: the arrays differ in shape.
    """
    if not predicted.shape == phase.shape == amplitude.shape:
        raise ValueError("predictions and the labels of phase and amplitude have different shapes")
    telling = phase != amplitude
    if not telling.any():
        return None
    by_phase, by_amplitude = (float(np.mean(predicted[telling] == owner[telling])) for owner in (phase, amplitude))
    return Followed(by_phase, by_amplitude, int(telling.sum()))
