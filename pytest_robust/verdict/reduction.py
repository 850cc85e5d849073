"""The interval of a relative error reduction: a ratio of two classifiers' errors on the same images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.verdict.images import split
from pytest_robust.verdict.intervals import upper_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.verdict.images import PairedCell

_DRAWS = 10_000
_SEED = 20_230_509
_LATTICE = 1 << 20


def reduction_interval(cells: Sequence[PairedCell], alpha: float) -> tuple[float, float]:
    """Bounds of ``(first - second) / first`` of the weighted errors, each wrong with probability about `alpha`.

    Percentiles of a bootstrap over images, in strata as in `interval`, with two imaginary images more in each: half a
    one for each of the four things that two classifiers can do. A draw in which the first makes no error counts as
    no reduction, or as minus infinity where the second makes one.

    Args:
        cells: of the reference (first) and of the classifier that should make fewer errors (second).
        alpha: in (0, 0.5].

    Raises:
        ValueError: `alpha` is out of range, or there is no cell.
    """
    upper_quantile(alpha)
    # Against a classifier that is always right, the change is the error itself.
    first = split([replace(cell, first=np.ones_like(cell.first), second=cell.first) for cell in cells])
    second = split([replace(cell, first=np.ones_like(cell.first)) for cell in cells])
    generator = np.random.Generator(np.random.PCG64(_SEED))
    totals = np.zeros((_DRAWS, 2))
    for stratum, reach in enumerate(first.reach.tolist()):
        mine = first.stratum == stratum
        errors = np.stack([first.changes[mine], second.changes[mine]], axis=1)
        atoms, counts = np.unique(np.rint(errors / reach * _LATTICE), axis=0, return_counts=True)
        table = [[0, 0], [_LATTICE, _LATTICE], [_LATTICE, 0], [0, _LATTICE]]
        shares = np.concatenate([counts, np.full(4, 0.5)]) / (len(errors) + 2)
        draws = generator.multinomial(len(errors), shares, size=_DRAWS)
        totals += draws @ np.concatenate([atoms, table]) * (reach / _LATTICE)
    theirs, ours = totals.T
    none = np.where(ours > 0, -np.inf, 0.0)
    reductions = np.where(theirs > 0, 1 - ours / np.where(theirs > 0, theirs, 1), none)
    low = np.quantile(reductions, alpha, method="lower")
    high = np.quantile(reductions, 1 - alpha, method="higher")
    return float(low), float(high)
