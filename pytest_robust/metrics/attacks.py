"""Numbers from attacked samples: success, distortion, robust accuracy, transfer from model to model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class Distortion(NamedTuple):
    """Mean and standard deviation (of the successes themselves, divided by their number) over confirmed successes."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class AttackSuccess:
    """What an attack did to a model.

    Attributes:
        attacked: how many samples were attacked.
        successes: how many of them were confirmed.
        success_rate: their share; None where none was attacked.
        robust_accuracy: share of all samples that the model has right and the attack did not turn.
        distortions: by norm over successes; None where there are none, because nothing was measured then. Means of
            models with different success rates are of different images.
    """

    attacked: int
    successes: int
    success_rate: float | None
    robust_accuracy: float
    distortions: Mapping[str, Distortion] | None


def attack_success(
    right: NDArray[np.bool_],
    attacked: NDArray[np.bool_],
    success: NDArray[np.bool_],
    distortions: Mapping[str, NDArray[np.floating]],
) -> AttackSuccess:
    """Sum up an attack.

    Args:
        right: whether the clean prediction is correct, shape (n,).
        attacked: which samples were attacked, all of them right, shape (n,).
        success: which of these were confirmed, shape (n,).
        distortions: by norm, shape (n,); only successes are read.

    Raises:
        ValueError: there are no samples, or a wrong one was attacked, or a success was not attacked.
    """
    if not len(right) or np.any(attacked & ~right) or np.any(success & ~attacked):
        raise ValueError("an attack needs samples, attacks right ones only, and succeeds on attacked ones only")
    tried, won = int(attacked.sum()), int(success.sum())
    sizes = {
        norm: Distortion(float(np.mean(values[success])), float(np.std(values[success])))
        for norm, values in distortions.items()
        if won
    }
    return AttackSuccess(tried, won, won / tried if tried else None, float(np.mean(right & ~success)), sizes or None)


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """How often examples of a source turn a target; arrays are of shape (models, models), source first.

    Attributes:
        rates: share of the counted examples, NaN where none counts and on the diagonal, which is no transfer.
        counted: how many examples count.
        white_box: the diagonal's rates, shape (models,).
    """

    rates: NDArray[np.float64]
    counted: NDArray[np.int64]
    white_box: NDArray[np.float64]


def transfer(hits: NDArray[np.bool_], attacked: NDArray[np.bool_], right: NDArray[np.bool_]) -> Transfer:
    """The transfer matrix of arXiv 1808.01688.

    Every example of a source counts, whether or not it turned the source itself; on a target only those count whose
    clean image the target has right.

    Args:
        hits: whether the target falls for the example, shape (sources, targets, n): its prediction is not the label,
            or of targeted attacks is the target class, or has it among its five best (`among_best`).
        attacked: which samples a source attacked, shape (sources, n).
        right: which clean images a target has right, shape (targets, n).

    Raises:
        ValueError: the shapes do not fit.
    """
    models, samples = attacked.shape
    if hits.shape != (models, models, samples) or right.shape != attacked.shape:
        raise ValueError(f"shapes {hits.shape}, {attacked.shape} and {right.shape} are of no square transfer matrix")
    counts = attacked[:, None] & right[None]
    counted = counts.sum(axis=2)
    rates = np.where(counted > 0, (hits & counts).sum(axis=2) / np.maximum(counted, 1), np.nan)
    white_box = rates.diagonal().copy()
    np.fill_diagonal(rates, np.nan)
    return Transfer(rates, counted, white_box)


def among_best(
    scores: NDArray[np.floating], classes: Sequence[int] | NDArray[np.integer], best: int
) -> NDArray[np.bool_]:
    """Whether each sample's class is among its `best` largest scores; of equal scores the lower class comes first.

    Args:
        scores: one column per class, shape (n, classes).
        classes: shape (n,).
        best: 1 for the top-1 match, 5 for the top-5 matching rate.
    """
    chosen = np.asarray(classes, np.int64)[:, None]
    own = np.take_along_axis(scores, chosen, axis=1)
    ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < chosen))
    return np.asarray(ahead.sum(axis=1) < best)
