"""The upper end of a distribution from maxima of samples: a reverse Weibull law (Weng et al., arXiv 1801.10578)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import fmin
from scipy.stats import kstest, weibull_max

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = (0.1, 1.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Where the fit begins."""

_PENALTY = 0.01
_SIGNIFICANCE = 0.001


class End(NamedTuple):
    """An upper end: the law's location, or the largest maximum where no fit is believed; `p` of the best fit."""

    value: float
    fitted: bool
    p: float


def upper_end(maxima: NDArray[np.floating]) -> End:
    """The largest value that maxima of ever more points would tend to.

    Maximum likelihood with a penalty of 0.01 times the squared shape, which keeps the end from running away, begun at
    every shape of `SHAPES`; the fit with the largest p of Kolmogorov and Smirnov's test wins. Maxima that are all
    equal, fewer than five, or a p below 0.001 give the largest maximum.

    Args:
        maxima: not negative, shape (n,), n at least 1.

    Raises:
        ValueError: one of them is no finite number.
    """
    values = np.asarray(maxima, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a maximum is no finite number, so they have no upper end")
    most = float(values.max())
    # Below the resolution of float32 gradients there is no law to fit, only rounding.
    if len(values) < 5 or most - values.min() <= 1e-5 * most:
        return End(most, False, 0.0)
    spread = float(most - values.min())
    scaled = (values - most) / spread
    fits = [weibull_max.fit(scaled, shape, loc=0.1, scale=1.0, optimizer=_penalised) for shape in SHAPES]
    p, location = max((float(kstest(scaled, "weibull_max", args=fit).pvalue), float(fit[1])) for fit in fits)
    if not p >= _SIGNIFICANCE:
        return End(most, False, p)
    return End(most + spread * location, True, p)


def _penalised(likelihood: Any, start: Any, args: Any = (), disp: int = 0) -> Any:
    """A minimiser for `weibull_max.fit` that adds the penalty on the shape, its first parameter."""

    def loss(theta: NDArray[np.float64], *more: Any) -> float:
        return float(likelihood(theta, *more)) + _PENALTY * float(theta[0]) ** 2

    return fmin(loss, start, args=args, disp=0)
