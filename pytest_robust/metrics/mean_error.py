"""Mean errors that are divided by nothing. Papers call several of them mCE, which names none: print which one it is.

Siedel et al. (arXiv 2305.05400) call the mean over 19 corruptions mCE, the one over the 15 of them that are no noise
mCE_xN, and the one over random Lp noise mCE_Lp; others average the 15 of Hendrycks and Dietterich.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from pytest_robust.metrics.corruption_error import ALEXNET_ERROR, SEVERITIES, Cell

C = TypeVar("C", bound=Hashable)

COMMON_15 = tuple(ALEXNET_ERROR)
"""The corruptions of ImageNet-C that mCE is defined over."""

EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The four that were held out for validation."""

COMMON_19 = (*COMMON_15, *EXTRA)

NOISE = ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")

WITHOUT_NOISE = tuple(name for name in COMMON_19 if name not in NOISE)
"""The 15 of the 19 that mCE_xN is the mean over."""


def mean_error(errors: Mapping[C, float], cells: Iterable[C] | None = None) -> float:
    """The mean over cells, each counting the same; over groups as cells it is SI-Score's average.

    Args:
        errors: error in [0, 1] by cell.
        cells: the cells to average over; all of `errors` if None.

    Raises:
        ValueError: a cell is missing, or there is none.
    """
    wanted = list(errors if cells is None else cells)
    if not wanted:
        raise ValueError("a mean error needs at least one cell")
    if missing := [cell for cell in wanted if cell not in errors]:
        raise ValueError(f"a mean error over {len(wanted)} cells lacks {missing[0]}")
    return sum(errors[cell] for cell in wanted) / len(wanted)


def grid(corruptions: Iterable[str]) -> list[Cell]:
    """The corruptions at severities 1 to 5, as `cells` of `mean_error`: `grid(COMMON_19)` for Siedel's mCE."""
    return [(corruption, severity) for corruption in corruptions for severity in SEVERITIES]
