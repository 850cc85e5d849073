"""What one measured attack comes to: the numbers that are reported of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_robust.metrics.attacks import AttackSuccess, attack_success

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_robust.measurement import Attacked


class Share(NamedTuple):
    """How many examples do something, of those that count."""

    hits: int
    counted: int

    @property
    def rate(self) -> float | None:
        """The share; None where nothing counts."""
        return self.hits / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class AttackSummary:
    """An attack on a model, or the transfer of one from another model.

    Attributes:
        success: of the attack on its source; `robust_accuracy` is the measured model's: the share of all samples whose
            clean image it has right and whose attacked image, if there is one, does not turn it.
        queries: mean number of times an attacked image was shown to the source; None where none was attacked.
        transfer: examples that turn the measured model, of those whose clean image it has right, whether or not they
            turn the source; None where the source is measured itself.
        top1: of a targeted attack, likewise those that the measured model takes for the target; None without targets.
        top5: likewise those whose target is among its five most probable classes.
    """

    success: AttackSuccess
    queries: float | None
    transfer: Share | None
    top1: Share | None
    top5: Share | None

    @property
    def means(self) -> Mapping[str, float]:
        """Mean distortions by norm; empty where nothing was turned."""
        return {norm: found.mean for norm, found in (self.success.distortions or {}).items()}


def turned(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], targets: NDArray[np.integer] | None
) -> NDArray[np.bool_]:
    """Which images turn a model: taken for the target, or without targets for any wrong class; shape (n,).

    Args:
        predicted: what the model says of the attacked images, shape (n,).
        labels: true classes, shape (n,).
        targets: the classes aimed at, shape (n,); None where any wrong one would do.
    """
    hits: NDArray[np.bool_] = predicted != labels if targets is None else predicted == targets
    return hits


def summary(
    attacked: Attacked, predicted: NDArray[np.uint16], labels: NDArray[np.uint16], *, transfer: bool
) -> AttackSummary:
    """Sum up a cell.

    Args:
        attacked: what the attack did.
        predicted: what the measured model says of the attacked images, shape (n,).
        labels: true classes, shape (n,).
        transfer: whether another model than the measured one was attacked.

    Raises:
        ValueError: there are no samples, or the measured model was attacked on images that it has wrong.
    """
    right, tried, hits = attacked.clean == labels, attacked.tried, turned(predicted, labels, attacked.targets)
    counted = tried & right
    made = {norm: attacked.distortions[norm].astype(np.float64) for norm in ("linf", "l2", "l1", "l0")}
    own = attack_success(tried if transfer else right, tried, attacked.success, made)
    if transfer:
        kept = float(np.mean(right & ~(tried & hits)))
        own = AttackSuccess(own.attacked, own.successes, own.success_rate, kept, own.distortions)

    def share(which: NDArray[np.bool_] | None) -> Share | None:
        return None if which is None else Share(int((which & counted).sum()), int(counted.sum()))

    return AttackSummary(
        success=own,
        queries=float(attacked.queries[tried].mean()) if tried.any() else None,
        transfer=share(hits) if transfer else None,
        top1=share(None if attacked.targets is None else hits),
        top5=share(attacked.near_target),
    )
