"""From pixels of an attack to canvases: whole grey levels, inside the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.metrics.distortion import sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.attacks.norms import Norm

_HALVINGS = 8
_SLACK = 1e-6
"""Room for the float32 of an epsilon: 8/255 is eight grey levels."""


def levels(clean: NDArray[np.uint8], change: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The canvas plus a change in [0, 1] units, to the nearest grey level, halves to even; shapes (N, H, W, 3)."""
    moved = clean + np.asarray(change, np.float64) * 255
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def rounded(
    clean: NDArray[np.uint8], change: NDArray[np.float32], budget: tuple[Norm, float] | None
) -> NDArray[np.uint8]:
    """`within` the budget, or `levels` where there is none."""
    return levels(clean, change) if budget is None else within(clean, change, *budget)


def most_levels(epsilon: float) -> float:
    """The most whole grey levels inside an L-infinity epsilon."""
    return float(np.floor(epsilon * (1 + _SLACK) * 255))


def within(clean: NDArray[np.uint8], change: NDArray[np.float32], norm: Norm, epsilon: float) -> NDArray[np.uint8]:
    """Round a bounded perturbation so that the canvas keeps the bound.

    For linf a value that would leave the ball takes the last level inside, so an epsilon of 25.5 levels gives 25. For
    l2 and l1, where many roundings may add up to more than epsilon, the perturbation of such an image is scaled down
    until its canvas is inside (to 1/256 of its size).

    Args:
        clean: the canvases, uint8 (N, H, W, 3).
        change: the perturbations, pixels counting from 0 to 1, of that shape.
        norm: of the budget.
        epsilon: the budget.
    """
    bound = epsilon * (1 + _SLACK)
    if norm == "linf":
        most = most_levels(epsilon)
        return levels(clean, np.clip(np.rint(np.asarray(change, np.float64) * 255), -most, most) / 255)
    made = levels(clean, change)
    over = np.flatnonzero(sizes(clean, made)[norm] > bound)
    inside, outside = np.zeros(len(over)), np.ones(len(over))
    made[over] = clean[over]
    for _ in range(_HALVINGS if len(over) else 0):
        share = (inside + outside) / 2
        tried = levels(clean[over], change[over] * share[:, None, None, None])
        fits = sizes(clean[over], tried)[norm] <= bound
        made[over[fits]] = tried[fits]
        inside, outside = np.where(fits, share, inside), np.where(fits, outside, share)
    return made
