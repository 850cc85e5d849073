"""Does accuracy fall as a shift grows stronger? Correlation of strength and drop, positive if it does.

A strength is the distance from clean, which is 0. Shifts that go two ways, as shrinking and enlarging, have negative
strengths on one side and positive ones on the other; each side is a ladder of its own. Drops are arrays of shape
(..., severities): a whole set of draws is correlated at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def pearson(strengths: ArrayLike, drops: ArrayLike) -> Floats:
    """Pearson's correlation along the last axis; NaN where either side does not vary."""
    first, second = np.asarray(strengths, float), np.asarray(drops, float)
    varies = (np.ptp(first, axis=-1) > 0) & (np.ptp(second, axis=-1) > 0)
    first = first - first.mean(axis=-1, keepdims=True)
    second = second - second.mean(axis=-1, keepdims=True)
    size = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    correlation = (first * second).sum(axis=-1) / np.where(varies, size, 1)
    return np.where(varies, np.clip(correlation, -1, 1), np.nan)


def spearman(strengths: ArrayLike, drops: ArrayLike) -> Floats:
    """Spearman's correlation: Pearson's of the ranks, ties sharing their mean rank."""
    return pearson(_ranks(strengths), _ranks(drops))


class Side(NamedTuple):
    """One ladder: rising strengths, clean first as 0, and the positions of their severities after clean's.

    Attributes:
        strengths: of clean and the severities, shape (positions + 1,); of both sides positive.
        positions: where the severities stand.
        below: whether the side's strengths were negative.
    """

    strengths: list[float]
    positions: list[int]
    below: bool = False

    def drops(self, drops: ArrayLike) -> Floats:
        """The drops of this side, shape (..., strengths), with 0 for clean."""
        own = np.asarray(drops, float)[..., self.positions]
        return np.concatenate([np.zeros((*own.shape[:-1], 1)), own], axis=-1)


def sides(strengths: Sequence[float]) -> list[Side]:
    """The ladders of one shift: negative and positive strengths apart.

    Args:
        strengths: in any order; 0 is no shift and left out.
    """
    positions = range(len(strengths))
    parts = {
        True: [i for i in positions if strengths[i] < 0],
        False: [i for i in positions if strengths[i] > 0],
    }
    ladders = {below: sorted(part, key=lambda i: abs(strengths[i])) for below, part in parts.items() if part}
    return [Side([0.0, *(abs(strengths[i]) for i in part)], part, below) for below, part in ladders.items()]


def weakest_side(
    strengths: Sequence[float], drops: ArrayLike, correlation: Callable[[ArrayLike, ArrayLike], Floats]
) -> Floats:
    """The correlation over one ladder; of two sides the smaller, of those that vary.

    Args:
        strengths: as in `sides`.
        drops: from clean, shape (..., severities).
        correlation: `pearson` or `spearman`.

    Returns:
        Shape (...); NaN where no side varies.
    """
    found = [correlation(side.strengths, side.drops(drops)) for side in sides(strengths)]
    return np.fmin.reduce(found) if found else np.full(np.shape(drops)[:-1], np.nan)


def _ranks(values: ArrayLike) -> Floats:
    array = np.asarray(values, float)
    ours, others = array[..., :, None], array[..., None, :]
    ranks: Floats = (others < ours).sum(axis=-1) + ((others == ours).sum(axis=-1) + 1) / 2
    return ranks
