"""CLEVER over several images: one score per image, and what the mean of them rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class CleverResult:
    """Scores of some images.

    Attributes:
        scores: shape (n,), in the norm's units with pixels from 0 to 1; NaN for an image that has none, because the
            model has it wrong or the target is its label.
        fitted: estimates of a slope that a fitted law gave; the others are the largest slope met.
        estimates: all of them.
        flat: images around which no slope was met, so that their score is the radius.
    """

    scores: NDArray[np.float64]
    fitted: int
    estimates: int
    flat: int

    @property
    def scored(self) -> NDArray[np.float64]:
        """The scores that there are."""
        known: NDArray[np.float64] = self.scores[~np.isnan(self.scores)]
        return known

    @property
    def mean(self) -> float | None:
        """Their mean; None where there is none."""
        return float(self.scored.mean()) if len(self.scored) else None

    def to_plain(self) -> dict[str, Any]:
        """The result as plain values."""
        counts = {"fitted": self.fitted, "estimates": self.estimates, "flat": self.flat}
        return {"scores": self.scores.astype("<f8").tobytes(), **counts}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> CleverResult:
        """Rebuild what `to_plain` made."""
        scores = np.frombuffer(plain["scores"], "<f8").astype(np.float64)
        return cls(scores, plain["fitted"], plain["estimates"], plain["flat"])
