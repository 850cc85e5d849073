"""Two classifiers on the same samples: flips and the mid-p McNemar test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Flips:
    """A candidate compared with a golden, sample by sample.

    Attributes:
        n: compared samples.
        a: both right.
        b: golden right, candidate wrong: negative flips, "lost".
        c: golden wrong, candidate right: positive flips, "won".
        d: both wrong.
        churn: share of samples with another predicted class, from wrong to differently wrong included.
    """

    n: int
    a: int
    b: int
    c: int
    d: int
    churn: float

    def __post_init__(self) -> None:
        if min(self.a, self.b, self.c, self.d) < 0 or self.a + self.b + self.c + self.d != self.n:
            raise ValueError(f"{self.a} + {self.b} + {self.c} + {self.d} samples are not {self.n}")

    @property
    def negative(self) -> float:
        """Negative flip rate b/n (Yan et al., CVPR 2021); 0 for no samples."""
        return self.b / self.n if self.n else 0.0

    @property
    def positive(self) -> float:
        """Positive flip rate c/n; 0 for no samples."""
        return self.c / self.n if self.n else 0.0

    @property
    def drop(self) -> float:
        """Golden accuracy minus candidate accuracy, (b - c)/n; 0 for no samples."""
        return (self.b - self.c) / self.n if self.n else 0.0

    @property
    def discordance(self) -> float:
        """Share of samples that only one of the two has right, (b + c)/n; 0 for no samples."""
        return (self.b + self.c) / self.n if self.n else 0.0


def compare(
    labels: NDArray[np.uint16],
    golden: NDArray[np.uint16],
    candidate: NDArray[np.uint16],
    *,
    near_tie: NDArray[np.bool_] | None = None,
) -> Flips:
    """Count the flips from `golden` to `candidate`.

    Args:
        labels: true classes, uint16, shape (n,).
        golden: predicted classes of the golden, uint16, shape (n,).
        candidate: predicted classes of the candidate, uint16, shape (n,).
        near_tie: samples on which the candidate's prediction is numeric noise, bool, shape (n,). What changed
            there is put down to the noise: such a sample counts as unchanged, and n stays.

    Raises:
        ValueError: the arrays differ in shape.
    """
    arrays = (labels, golden, candidate, near_tie)
    if len({array.shape for array in arrays if array is not None}) > 1:
        raise ValueError("labels and predictions of a comparison have different shapes")
    if near_tie is not None:
        candidate = np.where(near_tie, golden, candidate)
    was, now = golden == labels, candidate == labels
    n, both = len(labels), int(np.count_nonzero(was & now))
    lost, won = int(np.count_nonzero(was)) - both, int(np.count_nonzero(now)) - both
    changed = int(np.count_nonzero(golden != candidate))
    return Flips(n, both, lost, won, n - both - lost - won, changed / n if n else 0.0)


def mcnemar_midp(b: int, c: int) -> float:
    """One-sided mid-p McNemar test that the candidate is worse; with swapped arguments, that it is better.

    The exact conditional p, P[Bin(b + c, 1/2) >= b], less half of P[Bin = b] (Fagerland, Lydersen, Laake, BMC
    Medical Research Methodology 13 (2013) 91). Computed from the incomplete beta function at any size.

    Args:
        b: negative flips.
        c: positive flips.

    Returns:
        p in [0, 1]; 1 where nothing flipped, since no change is evidence of nothing.

    Raises:
        ValueError: a count is negative.
    """
    if min(b, c) < 0:
        raise ValueError(f"{b} lost and {c} won is not a possible count")
    if b == c:
        return 0.5 if b else 1.0
    return (_at_least(b, b + c) + _at_least(b + 1, b + c)) / 2


def _at_least(k: int, n: int) -> float:
    """P[Bin(n, 1/2) >= k]."""
    if k <= 0 or k > n:
        return float(k <= 0)
    from scipy.special import betainc

    return float(betainc(k, n - k + 1, 0.5))
